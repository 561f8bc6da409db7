// Points that move on the map or come in thousands: enterprises and officers.

import type { RiskGrade } from '#graph';

export type Place = { id: string; longitude: number; latitude: number };
export type Site = Place & { grade: RiskGrade | null };
export type Cluster = { count: number; longitude: number; latitude: number };
export type Officer = Place & { badge: string; at: number; trail: [number, number, number][] };
