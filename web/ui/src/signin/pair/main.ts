import { start } from '../../shared/start';
import PairPage from './PairPage.svelte';

start(PairPage);
