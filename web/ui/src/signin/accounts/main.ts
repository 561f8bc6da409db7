import { start } from '../../shared/start';
import AccountsPage from './AccountsPage.svelte';

start(AccountsPage);
