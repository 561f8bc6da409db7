import { start } from '../shared/start';
import './document.css';
import DocsPage from './DocsPage.svelte';

start(DocsPage);
// The browser looked for the fragment before the document was in its place.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
