// The pages that exist, in the order of the list. The wall, the desk and the field page come first once they exist.

import type { SignedIn } from '../shared/auth';
import * as m from '#messages';

export type Entry = { path: string; name: string; about: string; detail: string };

export function entriesFor(viewer: SignedIn | null): Entry[] {
  const entries: Entry[] = [];
  if (viewer === null) {
    entries.push({ path: '/signin/', name: m.signin_title(), about: m.start_signin(), detail: m.start_signin_detail() });
  }
  entries.push({ path: '/graphiql/', name: m.start_api(), about: m.start_api_about(), detail: m.start_api_detail() });
  return entries;
}
