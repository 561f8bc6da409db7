// Why a sign-in at the identity provider did not succeed, in words.

import * as m from '#messages';

const TEXTS: Record<string, () => string> = {
  OIDC_DENIED: m.oidc_denied,
  NO_ROLE: m.oidc_no_role,
  DISABLED: m.oidc_disabled,
  OIDC_EXPIRED: m.oidc_expired,
};

export function providerError(code: string): string {
  return (TEXTS[code] ?? m.oidc_failed)();
}
