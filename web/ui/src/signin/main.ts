import { start } from '../shared/start';
import SignInPage from './SignInPage.svelte';

start(SignInPage);
