// The part of /auth that commanders use: accounts, tokens and screens.

import { send, type Role } from '../auth';

export type Account = {
  id: number;
  name: string;
  fullName: string;
  role: Role;
  totp: boolean;
  mustChange: boolean;
  oidc: boolean;
  createdAt: string;
  disabledAt: string | null;
  inspector: string | null;
  enterprise: string | null;
};

export type NewAccount = { name: string; fullName: string; role: Role; inspector?: string; enterprise?: string };

export type Token = {
  id: number;
  kind: 'PERSON' | 'PROGRAM' | 'SCREEN';
  name: string | null;
  role: Role;
  scopes: string[];
  account: string | null;
  inspector: string | null;
  enterprise: string | null;
  issuedAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
};

export type WaitingScreen = { userCode: string; address: string | null; createdAt: string; expiresAt: string };

export const commander = {
  accounts: () => send('GET', 'accounts') as Promise<{ accounts: Account[] }>,
  addAccount: (account: NewAccount) => send('POST', 'accounts', account) as Promise<Account & { password: string }>,
  disableAccount: (id: number, disabled: boolean) => send('PATCH', `accounts/${id}`, { disabled }) as Promise<Account>,
  /** Sign the person out everywhere. */
  endLogins: (id: number) => send('DELETE', `accounts/${id}/logins`) as Promise<void>,
  resetAccount: (id: number) => send('POST', `accounts/${id}/reset`, {}) as Promise<{ password: string }>,

  tokens: () => send('GET', 'tokens') as Promise<{ tokens: Token[] }>,
  revokeToken: (id: number) => send('DELETE', `tokens/${id}`) as Promise<void>,

  waitingScreens: () => send('GET', 'pairings') as Promise<{ pairings: WaitingScreen[] }>,
  confirmScreen: (code: string, name: string) =>
    send('POST', `pairings/${encodeURIComponent(code)}`, { name }) as Promise<{ id: number; name: string }>,
  refuseScreen: (code: string) => send('DELETE', `pairings/${encodeURIComponent(code)}`) as Promise<void>,
};
