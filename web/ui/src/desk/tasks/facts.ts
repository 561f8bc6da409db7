// The facts of an item and of its enterprise's safety file, as names and values. What is not known says so.

import * as m from '#messages';

import { inspectionName } from '../../shared/describe';
import { day, moment, percent } from '../../shared/format';
import { localName } from '../../shared/local-name';
import type { ItemEnterprise, Node, Of } from './item.svelte';
import { statusName } from './head';
import { officerName, resourceTitle } from './stacks';

export type Fact = { name: string; value: string; late?: boolean };

const unknown = (): string => m.desk_unknown();

export function factsOf(node: Node): Fact[] {
  switch (node.__typename) {
    case 'Hazard': return hazardFacts(node);
    case 'Inspection': return inspectionFacts(node);
    case 'Case': return [
      { name: m.fact_grounds(), value: node.grounds },
      { name: m.fact_number(), value: node.number ?? unknown() },
      { name: m.fact_decided(), value: node.decidedAt ? moment(node.decidedAt) : m.desk_not_yet() },
    ];
    case 'Dispatch': return [
      { name: m.fact_purpose(), value: node.purpose },
      { name: m.fact_resource(), value: resourceTitle(node.resource) ?? m.desk_nobody() },
      ...(node.quantity === null ? [] : [{ name: m.fact_quantity(), value: `${node.quantity} ${node.resource?.__typename === 'StockItem' ? node.resource.unit : ''}` }]),
      { name: m.fact_requested(), value: moment(node.requestedAt) },
      { name: m.fact_arrived(), value: node.arrivedAt ? moment(node.arrivedAt) : m.desk_not_yet() },
    ];
    case 'Warning': return [
      { name: m.fact_headline(), value: node.headline },
      { name: m.fact_issued(), value: moment(node.issuedAt) },
      { name: m.fact_source(), value: node.automatic ? m.desk_by_rain() : m.desk_by_person() },
    ];
    default: return [];
  }
}

function hazardFacts(node: Of<'Hazard'>): Fact[] {
  const asked = node.extensions.find(({ status }) => status === 'REQUESTED');
  const granted = node.extensions.filter(({ status }) => status === 'APPROVED').length;
  return [
    { name: m.fact_category(), value: node.category ?? unknown() },
    { name: m.fact_found(), value: m.desk_found_by({ moment: moment(node.foundAt), name: node.inspection ? officerName(node.inspection.inspectors[0]) : m.desk_enterprise_itself() }) },
    { name: m.fact_deadline(), value: node.deadline ? moment(node.deadline) : m.alarm_no_deadline(), late: node.overdue },
    { name: m.fact_owner(), value: node.owner ? [node.owner.name, node.owner.phone].filter(Boolean).join(' ') : m.desk_nobody() },
    { name: m.fact_rectified(), value: node.rectifiedAt ? moment(node.rectifiedAt) : m.desk_not_yet() },
    { name: m.fact_evidence(), value: node.evidence.length > 0 ? m.desk_pieces({ count: node.evidence.length }) : m.desk_none() },
    ...(node.level === 'MAJOR' ? [{ name: m.fact_five_fixes(), value: node.fiveFix ? node.fiveFix.responsibility : m.desk_not_yet() }] : []),
    ...(asked ? [{ name: m.fact_extension(), value: m.desk_extension({ to: moment(asked.to), reason: asked.reason, count: granted }) }] : []),
  ];
}

function inspectionFacts(node: Of<'Inspection'>): Fact[] {
  return [
    { name: m.fact_kind(), value: inspectionName(node.kind) },
    { name: m.fact_officers(), value: node.inspectors.map((each) => [officerName(each), each.phone].filter(Boolean).join(' ')).join(m.list_separator()) || m.desk_nobody() },
    { name: m.fact_submitted(), value: node.submittedAt ? moment(node.submittedAt) : m.desk_not_yet() },
    { name: m.fact_found_count(), value: node.submittedAt ? m.file_found({ count: node.hazards.totalCount }) : m.desk_not_yet() },
    ...node.hazards.nodes.slice(0, 6).map(({ level, description, status }): Fact => ({ name: level === 'MAJOR' ? m.desk_major() : m.desk_general(), value: `${description} · ${statusName('Hazard', status)}` })),
    ...(node.summary ? [{ name: m.fact_summary(), value: node.summary }] : []),
  ];
}

export function fileOf(enterprise: ItemEnterprise): Fact[] {
  const { portrait, majorHazardLevel, industry, lastInspection, controlMeasures, cameras, cases, rings } = enterprise;
  const last = lastInspection.nodes[0]?.submittedAt;
  return [
    { name: m.fact_installation(), value: majorHazardLevel === null ? m.desk_none() : m.file_major_hazard({ level: majorHazardLevel }) },
    { name: m.fact_industry(), value: [industry ?? unknown(), ...(enterprise.hazardousChemicals ? [m.file_chemicals()] : [])].join(m.list_separator()) },
    { name: m.fact_open(), value: portrait ? m.desk_open_hazards({ open: portrait.hazardsOpen, major: portrait.majorHazardsOpen, overdue: portrait.hazardsOverdue }) : unknown(), late: (portrait?.hazardsOverdue ?? 0) > 0 },
    { name: m.fact_rate(), value: portrait?.rectificationRate == null ? m.wall_none_found() : `${percent(portrait.rectificationRate)} (${portrait.hazardsRectified} / ${portrait.hazardsFound})` },
    { name: m.fact_last(), value: last ? day(last) : unknown() },
    { name: m.fact_measures(), value: m.file_measures_fact({ count: controlMeasures.totalCount }) },
    { name: m.fact_cameras(), value: cameras.totalCount === 0 ? m.desk_none() : m.desk_online({ online: cameras.nodes.filter(({ online }) => online).length, total: cameras.totalCount }) },
    { name: m.fact_cases(), value: cases.totalCount === 0 ? m.desk_none() : m.desk_pieces({ count: cases.totalCount }) },
    ...(rings[0] ? [{ name: m.fact_ring(), value: localName(rings[0].venue) }] : []),
  ];
}
