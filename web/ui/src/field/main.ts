import { start } from '../shared/start';
import FieldPage from './FieldPage.svelte';
import './field.css';

start(FieldPage);
