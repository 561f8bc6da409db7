import 'ol/ol.css';
import './desk.css';
import { start } from '../shared/start';
import DeskPage from './DeskPage.svelte';

start(DeskPage);
