// The names of roles.

import type { Role } from './auth';
import * as m from '#messages';

const NAMES: Record<Role, () => string> = {
  COMMANDER: m.role_commander,
  INSPECTOR: m.role_inspector,
  ENTERPRISE: m.role_enterprise,
  WALL: m.role_wall,
  INTEGRATOR: m.role_integrator,
};

export function roleName(role: Role): string {
  return NAMES[role]();
}
