import { start } from '../../shared/start';
import AccountPage from './AccountPage.svelte';

start(AccountPage);
