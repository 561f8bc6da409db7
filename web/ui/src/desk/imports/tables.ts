// The names of the tables that an import knows.

import * as m from '#messages';

const NAMES: Record<string, () => string> = {
  zones: m.import_zones,
  towns: m.import_towns,
  venues: m.import_venues,
  inspectors: m.import_inspectors,
  experts: m.table_experts,
  teams: m.table_teams,
  warehouses: m.table_warehouse,
  stock: m.import_stock,
  enterprises: m.noun_enterprise,
  cameras: m.import_cameras,
  inspections: m.noun_inspection,
  hazards: m.noun_hazard,
  measures: m.import_measures,
  cases: m.noun_case,
};

export const tableName = (table: string): string => NAMES[table]?.() ?? table;
