import { start } from '../../shared/start';
import ScreenPage from './ScreenPage.svelte';

start(ScreenPage);
