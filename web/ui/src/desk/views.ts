// The views of the desk besides the work itself, in the order of the top bar. Each is loaded when it is opened first.

import type { Component } from 'svelte';

import * as m from '#messages';

import type { ServerWatch } from '../shared/server-watch.svelte';
import type { Desk } from './state/desk.svelte';

export type ViewProps = { desk: Desk; watch: ServerWatch };
/**
 * `id` is the parameter `view` of the address, for example `registers` in `/desk/?view=registers`. A view that another
 * one leads to is `under` that one, and not in the top bar.
 */
export type View = { id: string; name: () => string; under?: string; load: () => Promise<{ default: Component<ViewProps> }> };

export const VIEWS: View[] = [
  { id: 'registers', name: m.registers_title, load: () => import('./registers/RegistersView.svelte') },
  { id: 'handover', name: m.handover_title, load: () => import('./handover/HandoverView.svelte') },
  { id: 'actions', name: m.actions_title, load: () => import('./actions/ActionsView.svelte') },
  { id: 'accounts', name: m.desk_accounts, load: () => import('./accounts/AccountsView.svelte') },
  { id: 'import', name: m.import_title, under: 'registers', load: () => import('./imports/ImportView.svelte') },
];
