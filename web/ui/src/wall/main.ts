import 'ol/ol.css';
import './wall.css';
import { start } from '../shared/start';
import { watchForFaults } from './state/watchdog';
import WallPage from './WallPage.svelte';

watchForFaults();
start(WallPage);
