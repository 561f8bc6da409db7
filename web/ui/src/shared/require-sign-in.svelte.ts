// Pages that are nothing without a person.

import { isRestricted } from './auth';
import type { ServerWatch } from './server-watch.svelte';

/** Send a visitor who is not signed in to the sign-in page, and from there back. Called while a component starts. */
export function requireSignIn(watch: () => ServerWatch): void {
  $effect(() => {
    const session = watch().session;
    if (session === null) return;
    const viewer = session.viewer;
    if (viewer === null || isRestricted(viewer)) {
      location.replace(`/signin/?next=${encodeURIComponent(location.pathname + location.search)}`);
    }
  });
}
