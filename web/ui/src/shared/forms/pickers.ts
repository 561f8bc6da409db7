// Finds the rows from which a form lets a person pick, by type.

import type { RowType } from '#forms';
import {
  PickAssistanceDocument, PickCasesDocument, PickDispatchesDocument, PickEnterprisesDocument, PickExpertsDocument, PickHandoversDocument, PickHazardsDocument,
  PickInspectionsDocument, PickInspectorsDocument, PickMeasuresDocument, PickSearchDocument, PickStockDocument, PickTeamsDocument,
  PickVenuesDocument, PickWarningsDocument, PickZonesDocument, type AssistanceStatus, type CaseStatus, type DispatchStatus, type HazardStatus,
  type InspectionStatus, type PickSearchQuery, type SearchKind,
} from '#graph';

import { moment } from '../format';
import { request } from '../graph/request';
import { localName } from '../local-name';
import type { Choice } from './draft.ts';
import { valueName } from './words.ts';

/** `text` may be empty; `statuses` are those in which the row may be, where they matter. */
type Find = (text: string, statuses: readonly string[], token: string | null) => Promise<Choice[]>;
type Item = PickSearchQuery['search'][number]['item'];

function ofItem(item: Item): Choice[] {
  switch (item.__typename) {
    case 'Enterprise': return [{ id: item.id, title: item.name, detail: item.creditCode ?? '', version: item.version }];
    case 'Venue': return [{ id: item.id, title: localName(item) }];
    case 'Expert': return [{ id: item.id, title: item.fullName ?? item.specialties.join('、'), detail: item.specialties.join('、'), version: item.version }];
    case 'Team': return [{ id: item.id, title: item.name, version: item.version }];
    case 'Inspector': return [{ id: item.id, title: item.fullName ?? item.badge, detail: item.badge }];
    default: return [];
  }
}

/** By name where there is a text, else the first rows of `list`. */
function named(kind: SearchKind, list: (token: string | null) => Promise<Item[]>): Find {
  return async (text, _, token) => {
    if (text === '') return (await list(token)).flatMap(ofItem);
    return (await request(PickSearchDocument, { text, kinds: [kind] }, token)).search.flatMap(({ item }) => ofItem(item));
  };
}

type AtEnterprises = { enterprises?: string[] };

/** Of the enterprises whose names have the text. `read` gets the condition on them, or none where there is no text. */
function atEnterprises(read: (at: AtEnterprises, statuses: readonly string[], token: string | null) => Promise<Choice[]>): Find {
  return async (text, statuses, token) => {
    if (text === '') return read({}, statuses, token);
    const { search } = await request(PickSearchDocument, { text, kinds: ['ENTERPRISE'] }, token);
    const enterprises = search.flatMap(({ item }) => (item.__typename === 'Enterprise' ? [item.id] : []));
    return enterprises.length === 0 ? [] : read({ enterprises }, statuses, token);
  };
}

/** A condition on statuses, where there is one. */
const inStatus = <S>(statuses: readonly string[]): { statuses?: S[] } => (statuses.length === 0 ? {} : { statuses: statuses as unknown as S[] });
const joined = (...parts: (string | null | undefined)[]): string => parts.filter((part) => part).join(' · ');
const filtered = (choices: Choice[], text: string): Choice[] => choices.filter(({ title, detail }) => `${title} ${detail ?? ''}`.toLowerCase().includes(text.toLowerCase()));

const FINDERS: Record<RowType, Find> = {
  Enterprise: named('ENTERPRISE', async (token) => (await request(PickEnterprisesDocument, {}, token)).enterprises.nodes.map((each) => ({ __typename: 'Enterprise', ...each }))),
  Venue: named('VENUE', async (token) => (await request(PickVenuesDocument, {}, token)).venues.nodes.map((each) => ({ __typename: 'Venue', ...each }))),
  Expert: named('EXPERT', async (token) => (await request(PickExpertsDocument, {}, token)).experts.nodes.map((each) => ({ __typename: 'Expert', ...each }))),
  Team: named('TEAM', async (token) => (await request(PickTeamsDocument, {}, token)).teams.nodes.map((each) => ({ __typename: 'Team', ...each }))),
  Inspector: named('INSPECTOR', async (token) => (await request(PickInspectorsDocument, {}, token)).inspectors.nodes.map((each) => ({ __typename: 'Inspector', ...each }))),
  Zone: async (text, _, token) => filtered((await request(PickZonesDocument, {}, token)).zones.map((zone) => ({ id: zone.id, title: localName(zone) })), text),
  Hazard: atEnterprises(async (at, statuses, token) =>
    (await request(PickHazardsDocument, { filter: { ...at, ...inStatus<HazardStatus>(statuses) } }, token)).hazards.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.description, detail: joined(each.enterprise.name, valueName('HazardStatus', each.status)),
    }))),
  Inspection: atEnterprises(async (at, statuses, token) =>
    (await request(PickInspectionsDocument, { filter: { ...at, ...inStatus<InspectionStatus>(statuses) } }, token)).inspections.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.enterprise.name,
      detail: joined(valueName('InspectionKind', each.kind), valueName('InspectionStatus', each.status), each.plannedFor && moment(each.plannedFor)),
    }))),
  Case: atEnterprises(async (at, statuses, token) =>
    (await request(PickCasesDocument, { filter: { ...at, ...inStatus<CaseStatus>(statuses) } }, token)).cases.nodes.map((each) => ({
      id: each.id, version: each.version, title: joined(each.number, each.grounds), detail: joined(each.enterprise.name, valueName('CaseStatus', each.status)),
    }))),
  Dispatch: atEnterprises(async (at, statuses, token) =>
    (await request(PickDispatchesDocument, { filter: { ...at, ...inStatus<DispatchStatus>(statuses) } }, token)).dispatches.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.purpose, detail: joined(each.enterprise?.name, valueName('DispatchStatus', each.status)),
    }))),
  AssistanceRequest: atEnterprises(async (at, statuses, token) =>
    (await request(PickAssistanceDocument, { filter: { ...at, ...inStatus<AssistanceStatus>(statuses) } }, token)).assistanceRequests.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.problem, detail: joined(each.enterprise.name, valueName('AssistanceStatus', each.status)),
    }))),
  ControlMeasure: atEnterprises(async (at, _, token) =>
    (await request(PickMeasuresDocument, { filter: { ...at, inForce: true } }, token)).controlMeasures.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.description, detail: joined(each.enterprise.name, valueName('MeasureKind', each.kind)),
    }))),
  Warning: async (text, _, token) =>
    filtered((await request(PickWarningsDocument, {}, token)).warnings.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.headline,
      detail: joined(valueName('WarningLevel', each.level), valueName('WarningKind', each.kind), each.zone && localName(each.zone)),
    })), text),
  Handover: async (text, _, token) =>
    filtered((await request(PickHandoversDocument, {}, token)).handovers.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.leavingName ?? '', detail: joined(moment(each.signedAt), each.note),
    })), text),
  StockItem: async (text, _, token) =>
    (await request(PickStockDocument, { text: text || null }, token)).warehouses.nodes.flatMap((warehouse) => warehouse.stock.nodes.map((each) => ({
      id: each.id, version: each.version, title: each.name, detail: joined(warehouse.name, `${each.available} ${each.unit}`),
    }))),
};

export const findRows = (type: string, text: string, statuses: readonly string[], token: string | null): Promise<Choice[]> =>
  FINDERS[type as RowType](text, statuses, token);
