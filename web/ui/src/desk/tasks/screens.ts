// Screens that show a code and wait for a commander.

import { send } from '../../shared/auth';

export type WaitingScreen = { userCode: string; address: string | null; createdAt: string; expiresAt: string };

export const readScreens = async (): Promise<WaitingScreen[]> => ((await send('GET', 'pairings')) as { pairings: WaitingScreen[] }).pairings;
