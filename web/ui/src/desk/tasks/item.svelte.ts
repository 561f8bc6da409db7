// The item in hand: read when it is opened, and again after each event about it or its enterprise.

import { CandidatesDocument, ItemDocument, type CandidatesQuery, type ItemQuery } from '#graph';

import { GraphError, request } from '../../shared/graph/request';
import type { Desk } from '../state/desk.svelte';

const RETRY = 5_000;

export type Node = NonNullable<ItemQuery['node']>;
export type Of<T extends Node['__typename']> = Extract<Node, { __typename: T }>;
export type ItemEnterprise = Of<'Hazard'>['enterprise'];

export class Item {
  node = $state.raw<Node | null>(null);
  candidates = $state.raw<CandidatesQuery | null>(null);
  readAt = $state(0);
  startedAt = Date.now();
  failed = $state.raw<GraphError | null>(null);

  #closed = false;
  /** The number of the last question, and of the last one that was answered. */
  #asked = 0;
  #answered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void;

  constructor(
    readonly id: string,
    desk: Desk,
  ) {
    this.#stop = desk.onevents((events) => {
      const own = this.enterprise?.id;
      if (events.length === 0 || events.some((event) => subject(event) === this.id || (own !== undefined && event.enterprise?.id === own))) void this.read();
    });
    void this.read();
  }

  get enterprise(): ItemEnterprise | null {
    return this.node === null ? null : enterpriseOf(this.node);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    clearTimeout(this.#timer);
  }

  /** An answer that a later question's answer has overtaken is dropped. */
  async read(): Promise<void> {
    clearTimeout(this.#timer);
    const question = ++this.#asked;
    try {
      const { node } = await request(ItemDocument, { id: this.id }, null);
      if (this.#closed || question < this.#answered) return;
      this.#answered = question;
      this.node = node;
      this.readAt = Date.now();
      this.failed = null;
      if (node?.__typename !== 'AssistanceRequest') return;
      const candidates = await request(CandidatesDocument, { id: node.enterprise.id }, null);
      if (question === this.#answered) this.candidates = candidates;
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      if (this.#closed || question < this.#answered) return;
      this.failed = error;
      this.#timer = setTimeout(() => void this.read(), RETRY);
    }
  }
}

export function enterpriseOf(node: Node): ItemEnterprise | null {
  if (node.__typename === 'Dispatch') return node.destination;
  return 'enterprise' in node ? node.enterprise : null;
}

type Event = Parameters<Parameters<Desk['onevents']>[0]>[0][number];

function subject(event: Event): string | null {
  switch (event.__typename) {
    case 'HazardUpdate': return event.hazard.id;
    case 'InspectionUpdate': return event.inspection.id;
    case 'DispatchUpdate': return event.dispatch.id;
    case 'WarningUpdate': return event.warning.id;
    case 'AssistanceUpdate': return event.assistanceRequest.id;
    case 'CaseUpdate': return event.case.id;
    default: return null;
  }
}
