// The order of hazards.

import type { FieldHazardFragment } from '#graph';

/** Major first, then first due; without a deadline last. */
export function byUrgency(hazards: FieldHazardFragment[]): FieldHazardFragment[] {
  const due = ({ deadline }: FieldHazardFragment): number => (deadline ? Date.parse(deadline) : Infinity);
  const rank = ({ level }: FieldHazardFragment): number => (level === 'MAJOR' ? 0 : 1);
  return [...hazards].sort((a, b) => rank(a) - rank(b) || Math.sign(due(a) - due(b)) || 0);
}
