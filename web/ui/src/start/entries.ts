// The pages, in the order of the list.

import * as m from '#messages';

import type { SignedIn } from '../shared/auth';

export type Entry = { path: string; name: string; about: string; detail: string };

const desk = (): Entry => ({ path: '/desk/', name: m.start_desk(), about: m.start_desk_about(), detail: m.start_desk_detail() });
const field = (): Entry => ({ path: '/field/', name: m.start_field(), about: m.start_field_about(), detail: m.start_field_detail() });
const wall = (): Entry => ({ path: '/wall/', name: m.wall_title(), about: m.start_wall(), detail: m.start_wall_detail() });
const signIn = (): Entry => ({ path: '/signin/', name: m.signin_title(), about: m.start_signin(), detail: m.start_signin_detail() });
const api = (): Entry => ({ path: '/graphiql/', name: m.start_api(), about: m.start_api_about(), detail: m.start_api_detail() });
const docs = (): Entry => ({ path: '/docs/', name: m.docs_title(), about: m.start_docs(), detail: m.start_docs_detail() });
const accounts = (): Entry => ({ path: '/signin/accounts/', name: m.accounts_title(), about: m.start_accounts(), detail: m.start_accounts_detail() });
const pair = (): Entry => ({ path: '/signin/pair/', name: m.pair_title(), about: m.start_pair(), detail: m.start_pair_detail() });
const account = (): Entry => ({ path: '/signin/account/', name: m.account_title(), about: m.start_account(), detail: m.start_account_detail() });
const screen = (): Entry => ({ path: '/signin/screen/', name: m.start_screen_name(), about: m.start_screen(), detail: m.start_screen_detail() });

export function entriesFor(viewer: SignedIn | null): Entry[] {
  if (viewer === null) return [signIn(), desk(), wall(), field(), api(), docs(), screen()];
  if (viewer.role === 'COMMANDER') return [desk(), wall(), api(), docs(), accounts(), pair(), account()];
  if (viewer.role === 'ENTERPRISE') return [field(), api(), docs(), account()];
  return [wall(), field(), api(), docs(), account()];
}
