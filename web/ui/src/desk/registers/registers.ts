// The registers as tables: what each column shows, what can be filtered and sorted, and how a page is read.

import {
  TableCasesDocument, TableEnterprisesDocument, TableExpertsDocument, TableHazardsDocument, TableInspectionsDocument, TableTeamsDocument,
  TableWarehousesDocument, type TypedDocumentString,
} from '#graph';
import * as m from '#messages';

import { moment } from '../../shared/format';
import { request } from '../../shared/graph/request';
import { localName } from '../../shared/local-name';
import { fieldName, valueName } from '../../shared/forms/words.ts';

/** The value that a cell shows and an export writes; null where it is not known. */
export type Value = string | number | Date | null;
export type Row = { id: string };
export type Column<R> = {
  id: string;
  name: () => string;
  value: (row: R) => Value;
  /** The graph's order by this column, where there is one. */
  order?: string;
  /** True if the table shows it unless the person chooses. */
  shown?: boolean;
};
/** `id` is the field of the graph's filter. */
export type Filter = { id: string; name: () => string } & ({ kind: 'text' | 'yes' | 'date' | 'zone' } | { kind: 'enum'; enum: string; options: readonly string[] });
export type Page = { rows: Row[]; total: number; next: string | null; previous: string | null };
export type Paging = { first?: number; after?: string; last?: number; before?: string };
export type Register = {
  id: string;
  name: () => string;
  columns: Column<Row>[];
  filters: Filter[];
  /** The kinds of events after which rows may be others. */
  events: RegExp;
  read: (filter: Record<string, unknown>, orderBy: { field: string; direction: string } | null, paging: Paging) => Promise<Page>;
};

type Answer<R> = {
  page: { totalCount: number; pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }; nodes: R[] };
};
type Zoned = { zone: { name: string; nameEn: string | null } | null };

function register<R extends Row, V>(
  of: Omit<Register, 'columns' | 'read'> & { columns: Column<R>[]; document: TypedDocumentString<Answer<R>, V> },
): Register {
  const { document, columns, ...rest } = of;
  return {
    ...rest,
    columns: columns as unknown as Column<Row>[],
    async read(filter, orderBy, paging) {
      const { page } = await request(document, { filter, ...(orderBy ? { orderBy } : {}), ...paging } as V, null);
      const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
      return { rows: page.nodes, total: page.totalCount, next: hasNextPage ? endCursor : null, previous: hasPreviousPage ? startCursor : null };
    },
  };
}

const field = (name: string) => (): string => fieldName('', name);
const when = (at: string | null | undefined): Value => (at ? new Date(at) : null);
/** A value as the table shows it. */
export const shownValue = (value: Exclude<Value, null>): string | number => (value instanceof Date ? moment(value.getTime()) : value);
const yes = (value: boolean): string => (value ? m.form_yes() : m.form_no());
const zone = <R extends Zoned>(): Column<R> => ({ id: 'zone', name: field('zone'), value: (row) => row.zone && localName(row.zone), shown: true });
const at = <R extends { enterprise: Zoned & { name: string } }>(): Column<R>[] => [
  { id: 'enterprise', name: field('enterprise'), value: (row) => row.enterprise.name, shown: true },
  { id: 'zone', name: field('zone'), value: (row) => row.enterprise.zone && localName(row.enterprise.zone), shown: true },
];
/** A person to contact is two columns, of which the table shows none at first: it is personal data. */
function contact<R>(id: string, name: () => string, of: (row: R) => { name: string | null; phone: string | null } | null): Column<R>[] {
  return [
    { id, name, value: (row) => of(row)?.name ?? null },
    { id: `${id}Phone`, name: () => m.table_phone_of({ who: name() }), value: (row) => of(row)?.phone ?? null },
  ];
}

const TEXT: Filter = { id: 'text', name: m.table_text, kind: 'text' };
const ZONE: Filter = { id: 'zoneCodes', name: field('zone'), kind: 'zone' };
const AVAILABLE: Filter = { id: 'available', name: m.table_available, kind: 'yes' };
const among = (id: string, name: () => string, of: string, options: string): Filter => ({ id, name, kind: 'enum', enum: of, options: options.split(' ') });
const GRADES = among('riskGrades', field('riskGrade'), 'RiskGrade', 'RED ORANGE YELLOW BLUE');

export const REGISTERS: Register[] = [
  register({
    id: 'enterprises',
    name: m.noun_enterprise,
    document: TableEnterprisesDocument,
    events: /^(ENTERPRISE|REGISTER|HAZARD|INSPECTION)_/,
    columns: [
      { id: 'name', name: field('enterprise'), value: (row) => row.name, order: 'NAME', shown: true },
      { id: 'riskGrade', name: field('riskGrade'), value: (row) => row.riskGrade && valueName('RiskGrade', row.riskGrade), order: 'RISK_GRADE', shown: true },
      zone(),
      { id: 'open', name: m.table_open, value: (row) => row.open.totalCount, order: 'OPEN_HAZARDS', shown: true },
      { id: 'overdue', name: m.table_overdue, value: (row) => row.overdue.totalCount, shown: true },
      { id: 'visited', name: m.table_visited, value: (row) => when(row.visits.nodes[0]?.submittedAt), order: 'LAST_INSPECTED', shown: true },
      { id: 'industry', name: field('industry'), value: (row) => row.industry, shown: true },
      { id: 'hazardousChemicals', name: field('hazardousChemicals'), value: (row) => yes(row.hazardousChemicals) },
      { id: 'majorHazardLevel', name: field('majorHazardLevel'), value: (row) => row.majorHazardLevel },
      { id: 'creditCode', name: field('creditCode'), value: (row) => row.creditCode },
      { id: 'town', name: m.table_town, value: (row) => row.town && localName(row.town) },
      { id: 'address', name: field('address'), value: (row) => row.address },
      ...contact('legal', field('legalRepresentative'), (row: { legalRepresentative: { name: string | null; phone: string | null } | null }) => row.legalRepresentative),
      ...contact('safety', field('safetyContact'), (row: { safetyContact: { name: string | null; phone: string | null } | null }) => row.safetyContact),
      { id: 'updatedAt', name: m.table_updated, value: (row) => when(row.updatedAt), order: 'UPDATED_AT' },
    ],
    filters: [
      TEXT, ZONE, GRADES,
      { id: 'hazardousChemicals', name: field('hazardousChemicals'), kind: 'yes' },
      { id: 'hasOverdueHazards', name: m.table_overdue, kind: 'yes' },
      { id: 'notInspectedSince', name: m.table_not_since, kind: 'date' },
    ],
  }),
  register({
    id: 'hazards',
    name: m.noun_hazard,
    document: TableHazardsDocument,
    events: /^(HAZARD|REGISTER)_/,
    columns: [
      { id: 'description', name: field('description'), value: (row) => row.description, shown: true },
      { id: 'level', name: field('level'), value: (row) => valueName('HazardLevel', row.level), order: 'LEVEL', shown: true },
      { id: 'status', name: m.table_status, value: (row) => valueName('HazardStatus', row.status), shown: true },
      ...at(),
      { id: 'deadline', name: field('deadline'), value: (row) => when(row.deadline), order: 'DEADLINE', shown: true },
      { id: 'overdue', name: m.table_is_overdue, value: (row) => yes(row.overdue), shown: true },
      { id: 'foundAt', name: m.table_found, value: (row) => when(row.foundAt), order: 'FOUND_AT', shown: true },
      { id: 'category', name: field('category'), value: (row) => row.category },
      { id: 'closedAt', name: m.table_closed, value: (row) => when(row.closedAt) },
      ...contact('owner', field('owner'), (row: { owner: { name: string | null; phone: string | null } | null }) => row.owner),
    ],
    filters: [
      TEXT, ZONE,
      among('statuses', m.table_status, 'HazardStatus', 'FOUND UNDER_REVIEW ASSIGNED RECTIFYING PENDING_ACCEPTANCE ACCEPTED CLOSED DISMISSED'),
      among('levels', field('level'), 'HazardLevel', 'MAJOR GENERAL'),
      GRADES,
      { id: 'overdue', name: m.table_is_overdue, kind: 'yes' },
      { id: 'foundSince', name: m.table_found_since, kind: 'date' },
    ],
  }),
  register({
    id: 'inspections',
    name: m.noun_inspection,
    document: TableInspectionsDocument,
    events: /^(INSPECTION|REGISTER)_/,
    columns: [
      ...at(),
      { id: 'kind', name: field('kind'), value: (row) => valueName('InspectionKind', row.kind), shown: true },
      { id: 'status', name: m.table_status, value: (row) => valueName('InspectionStatus', row.status), shown: true },
      { id: 'result', name: field('result'), value: (row) => row.result && valueName('InspectionResult', row.result), shown: true },
      { id: 'plannedFor', name: field('plannedFor'), value: (row) => when(row.plannedFor), order: 'PLANNED_FOR', shown: true },
      { id: 'submittedAt', name: m.table_submitted, value: (row) => when(row.submittedAt), order: 'SUBMITTED_AT', shown: true },
      { id: 'found', name: field('findings'), value: (row) => row.found.totalCount, shown: true },
      { id: 'inspectors', name: field('inspectors'), value: (row) => row.inspectors.map((each) => each.fullName ?? each.badge).join('、') || null },
      { id: 'summary', name: field('summary'), value: (row) => row.summary },
    ],
    filters: [
      ZONE,
      among('statuses', m.table_status, 'InspectionStatus', 'PLANNED DISPATCHED ACKNOWLEDGED EN_ROUTE ON_SITE SUBMITTED IN_REVIEW CLOSED CANCELLED'),
      among('kinds', field('kind'), 'InspectionKind', 'ROUTINE SPECIAL ASSISTANCE REINSPECTION COMPLAINT'),
      among('results', field('result'), 'InspectionResult', 'PASS HAZARDS_FOUND REFUSED NOT_OPERATING NOT_APPLICABLE'),
      GRADES,
      { id: 'submittedSince', name: m.table_submitted_since, kind: 'date' },
    ],
  }),
  register({
    id: 'cases',
    name: m.noun_case,
    document: TableCasesDocument,
    events: /^(CASE|REGISTER)_/,
    columns: [
      { id: 'number', name: field('number'), value: (row) => row.number, shown: true },
      { id: 'status', name: m.table_status, value: (row) => valueName('CaseStatus', row.status), shown: true },
      ...at(),
      { id: 'grounds', name: field('grounds'), value: (row) => row.grounds, shown: true },
      { id: 'kinds', name: field('kinds'), value: (row) => row.penalty?.kinds.map((kind) => valueName('PenaltyKind', kind)).join('、') ?? null, shown: true },
      { id: 'fine', name: m.table_fine, value: (row) => row.penalty?.fineYuan ?? null, order: 'FINE', shown: true },
      { id: 'filedAt', name: m.table_filed, value: (row) => when(row.filedAt), order: 'FILED_AT', shown: true },
      { id: 'decidedAt', name: m.table_decided, value: (row) => when(row.decidedAt), order: 'DECIDED_AT' },
    ],
    filters: [
      ZONE,
      among('statuses', m.table_status, 'CaseStatus', 'PROPOSED FILED NOT_FILED INVESTIGATING NOTIFIED HEARING DECIDED NO_PENALTY TRANSFERRED WITHDRAWN EXECUTING CLOSED'),
      GRADES,
      { id: 'filedSince', name: m.table_filed_since, kind: 'date' },
    ],
  }),
  register({
    id: 'teams',
    name: m.table_teams,
    document: TableTeamsDocument,
    events: /^(TEAM|DISPATCH|REGISTER)_/,
    columns: [
      { id: 'name', name: field('team'), value: (row) => row.name, shown: true },
      zone(),
      { id: 'strength', name: m.table_strength, value: (row) => row.strength, shown: true },
      { id: 'onStandby', name: field('onStandby'), value: (row) => yes(row.onStandby), shown: true },
      ...contact('leader', m.table_leader, (row: { leader: { name: string | null; phone: string | null } | null }) => row.leader),
    ],
    filters: [TEXT, ZONE, AVAILABLE],
  }),
  register({
    id: 'experts',
    name: m.table_experts,
    document: TableExpertsDocument,
    events: /^(EXPERT|DISPATCH|REGISTER)_/,
    columns: [
      { id: 'specialties', name: m.table_specialties, value: (row) => row.specialties.join('、') || null, shown: true },
      zone(),
      { id: 'onStandby', name: field('onStandby'), value: (row) => yes(row.onStandby), shown: true },
      { id: 'fullName', name: field('name'), value: (row) => row.fullName, shown: true },
      { id: 'phone', name: field('phone'), value: (row) => row.phone },
    ],
    filters: [TEXT, ZONE, AVAILABLE],
  }),
  register({
    id: 'warehouses',
    name: m.table_warehouses,
    document: TableWarehousesDocument,
    events: /^(STOCK|DISPATCH|REGISTER)_/,
    columns: [
      { id: 'name', name: m.table_warehouse, value: (row) => row.name, shown: true },
      zone(),
      { id: 'items', name: m.table_items, value: (row) => row.stock.totalCount, shown: true },
      {
        id: 'stock', name: m.table_stock, shown: true,
        value: ({ stock }) => {
          const listed = stock.nodes.map(({ name, available, quantity, unit }) => `${name} ${available}/${quantity} ${unit}`).join('、');
          return stock.totalCount > stock.nodes.length ? `${listed}…` : listed || null;
        },
      },
      ...contact('keeper', m.table_keeper, (row: { keeper: { name: string | null; phone: string | null } | null }) => row.keeper),
    ],
    filters: [TEXT, ZONE, AVAILABLE],
  }),
];
