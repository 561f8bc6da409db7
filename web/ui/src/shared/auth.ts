// The client of the HTTP API under /auth.

export type Role = 'COMMANDER' | 'INSPECTOR' | 'ENTERPRISE' | 'WALL' | 'INTEGRATOR';

export type SignedIn = {
  account: number;
  name: string;
  fullName: string;
  role: Role;
  totp: boolean;
  /** Whether the account has a password, or only the identity provider knows the person. */
  password: boolean;
  /** Whether the password is a one-time one: until it is changed, nothing else is allowed. */
  mustChange: boolean;
  /** Whether the server demands TOTP of this person, who has none: until it is set up, nothing else is allowed. */
  mustSetUpTotp: boolean;
  expiresAt: string;
};

/** Whether nothing is allowed yet but another step of signing in. */
export const isRestricted = (viewer: SignedIn): boolean => viewer.mustChange || viewer.mustSetUpTotp;

export type SessionState = {
  viewer: SignedIn | null;
  serverTime: string;
  oidc: { label: string } | null;
  setup: boolean;
  /** What a demo tells people, by language; null outside demo mode. */
  notice: { zh: string; en: string } | null;
};

export type Login = {
  id: number;
  createdAt: string;
  lastSeenAt: string;
  address: string | null;
  agent: string | null;
  current: boolean;
};

export type Pairing = { userCode: string; deviceCode: string; expiresIn: number; interval: number; address: string };

/** No answer came from the server: it is away, or there is no network. */
export const SILENT = 'SILENT';

const PATIENCE = 10_000;

/** A refusal. `code` is the server's, or SILENT. */
export class AuthError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly extensions: Record<string, unknown> = {},
  ) {
    super(message);
  }

  /** Seconds until the server looks at the next attempt; null if it said nothing. */
  get retryAfter(): number | null {
    const value = this.extensions.retryAfter;
    return typeof value === 'number' ? value : null;
  }
}

type Failure = { errors?: { message: string; extensions?: { code?: string } & Record<string, unknown> }[] };

/** Send a request and return the answer's JSON, or undefined for an answer without a body. Throws AuthError. */
export async function send(method: string, path: string, body?: unknown, patience = PATIENCE, token?: string): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/auth/${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(patience),
    });
    text = await response.text();
  } catch (error) {
    throw new AuthError(SILENT, String(error));
  }
  const answer = parse(text);
  if (response.ok) return answer;
  const failure = (answer as Failure | undefined)?.errors?.[0];
  const extensions: Record<string, unknown> = { ...failure?.extensions };
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  if (Number.isFinite(seconds)) extensions.retryAfter ??= seconds;
  const code = failure?.extensions?.code ?? (response.status >= 500 ? SILENT : `HTTP_${response.status}`);
  throw new AuthError(code, failure?.message ?? response.statusText, extensions);
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const auth = {
  session: (patience?: number) => send('GET', 'session', undefined, patience) as Promise<SessionState>,
  signIn: (name: string, password: string, code?: string) =>
    send('POST', 'sign-in', { name, password, ...(code === undefined ? {} : { code }) }) as Promise<SessionState>,
  /** The address where the browser signs out at the identity provider too, if there is one. */
  signOut: async () => ((await send('POST', 'sign-out', {})) as { next: string } | undefined)?.next,
  setup: (key: string, name: string, fullName: string, password: string) =>
    send('POST', 'setup', { key, name, fullName, password }) as Promise<SessionState>,

  changePassword: (current: string, next: string) => send('POST', 'password', { current, new: next }) as Promise<void>,
  startTotp: (password: string) => send('POST', 'totp', { password }) as Promise<{ secret: string; uri: string }>,
  confirmTotp: (code: string) => send('POST', 'totp/confirm', { code }) as Promise<void>,
  removeTotp: (password: string) => send('DELETE', 'totp', { password }) as Promise<void>,
  logins: () => send('GET', 'logins') as Promise<{ logins: Login[] }>,
  endLogin: (id: number) => send('DELETE', `logins/${id}`) as Promise<void>,

  /** A token for an account, by a commander who is signed in. `ttl` is a time such as 10m. */
  issueToken: (account: string, name: string, ttl: string) => send('POST', 'tokens', { account, name, ttl }) as Promise<{ id: number; token: string }>,
  /** By a commander with this token. */
  revokeToken: (id: number, token: string) => send('DELETE', `tokens/${id}`, undefined, PATIENCE, token),

  startPairing: () => send('POST', 'pairings', {}) as Promise<Pairing>,
  pollPairing: (deviceCode: string) =>
    send('POST', 'pairings/token', { deviceCode }) as Promise<{ token: string; name: string; expiresAt: string }>,
};
