// Starts a page: theme, language of the document, component.

import { mount, type Component } from 'svelte';

import './tokens.css';
import './base.css';
import { theme } from './theme.svelte';

export function start(page: Component): void {
  theme.start();
  mount(page, { target: document.getElementById('page')! });
}
