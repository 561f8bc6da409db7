// What a refusal of /auth means, in words.

import { AuthError, SILENT } from './auth';
import * as m from '#messages';

const TEXTS: Record<string, () => string> = {
  [SILENT]: m.error_silent,
  BAD_CREDENTIALS: m.error_bad_credentials,
  BAD_CODE: m.error_bad_code,
  UNAUTHENTICATED: m.error_unauthenticated,
  FORBIDDEN: m.error_forbidden,
  WEAK_PASSWORD: m.error_weak_password,
  NOT_FOUND: m.error_not_found,
  TOO_MANY: m.error_too_many,
  BUSY: m.error_too_many,
  UNAVAILABLE: m.error_silent,
  NAME_TAKEN: m.error_name_taken,
};

export function errorText(error: unknown): string {
  if (!(error instanceof AuthError)) throw error;
  const text = TEXTS[error.code];
  // A code that this page does not know has the server's own words, which are English.
  return text ? text() : m.error_other({ code: error.code, message: error.message });
}
