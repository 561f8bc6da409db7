import { start } from '../shared/start';
import StartPage from './StartPage.svelte';

start(StartPage);
