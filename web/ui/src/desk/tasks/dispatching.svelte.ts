// The choice of what is sent to a call for help, and its sending: each line is a mutation of its own, so that one refusal
// holds up no other.

import { SendOfficersDocument, SendResourceDocument } from '#graph';
import * as m from '#messages';

import { request } from '../../shared/graph/request';
import { newId } from '../../shared/new-id';
import type { Candidate, Stock } from './candidates';
import { attempt, type Outcome } from './steps';

export type Problem = { id: string; version: number; problem: string };
/** `problem` is the id of the call that the resource serves. */
export type Choice = { problem: string; stock: string | null; quantity: number };
export type Line = { key: string; names: string; outcome: Outcome | null };

type Result = Awaited<ReturnType<Parameters<typeof attempt>[0]>>;

export class Dispatching {
  problems = $state.raw<Problem[]>([]);
  candidates = $state.raw<Candidate[]>([]);
  chosen = $state.raw(new Map<string, Choice>());
  /** When sending began; null while nothing is under way. */
  since = $state<number | null>(null);
  /** The lines of the last sending. */
  lines = $state.raw<Line[]>([]);
  #touched = false;
  #ids = new Map<string, string>();

  /** Take what was read. Until the person has chosen, the nearest free officer is chosen for each problem. */
  take(problems: Problem[], candidates: Candidate[]): void {
    this.problems = problems;
    this.candidates = candidates;
    const known = new Set(candidates.map(({ id }) => id));
    const kept = [...this.chosen].filter(([id, { problem }]) => known.has(id) && problems.some((each) => each.id === problem));
    if (kept.length !== this.chosen.size) this.chosen = new Map(kept);
    if (!this.#touched && problems.length > 0) this.chosen = this.#proposal();
  }

  #proposal(): Map<string, Choice> {
    const officers = this.candidates.filter(({ kind, leftOut }) => kind === 'officer' && leftOut === null);
    const free = officers.filter(({ reason }) => reason === m.desk_idle());
    const order = [...free, ...officers.filter((each) => !free.includes(each))];
    return new Map(this.problems.slice(0, order.length).map(({ id }, index) => [order[index]!.id, { problem: id, stock: null, quantity: 1 }]));
  }

  /** The number that the page shows for a problem, from 1. */
  numberOf(problem: string): number {
    return this.problems.findIndex(({ id }) => id === problem) + 1;
  }

  /** Let a candidate that is chosen serve the next problem. */
  serveNext(candidate: Candidate): void {
    const choice = this.chosen.get(candidate.id);
    if (choice) this.change(candidate, { problem: this.problems[this.numberOf(choice.problem) % this.problems.length]!.id });
  }

  /** The candidates that number keys stand for: those that can be sent, in their order. */
  get numbered(): Candidate[] {
    return this.candidates.filter(({ leftOut, kind, stock }) => leftOut === null && (kind !== 'warehouse' || stock.length > 0));
  }

  stockOf(candidate: Candidate): Stock | null {
    const choice = this.chosen.get(candidate.id);
    return candidate.stock.find(({ id }) => id === choice?.stock) ?? candidate.stock[0] ?? null;
  }

  toggle(candidate: Candidate): void {
    if (this.since !== null) return;
    this.#touched = true;
    const next = new Map(this.chosen);
    if (!next.delete(candidate.id)) next.set(candidate.id, { problem: this.#next(candidate), stock: candidate.stock[0]?.id ?? null, quantity: 1 });
    this.chosen = next;
  }

  /** The problem that nothing of this kind is chosen for yet, else the first. */
  #next({ kind }: Candidate): string {
    const served = new Set([...this.chosen].flatMap(([id, { problem }]) => (this.candidates.find((each) => each.id === id)?.kind === kind ? [problem] : [])));
    return (this.problems.find(({ id }) => !served.has(id)) ?? this.problems[0]!).id;
  }

  change(candidate: Candidate, change: Partial<Choice>): void {
    const choice = this.chosen.get(candidate.id);
    if (!choice || this.since !== null) return;
    this.#touched = true;
    const next = { ...choice, ...change };
    const available = candidate.stock.find(({ id }) => id === next.stock)?.available ?? 1;
    next.quantity = Math.max(1, Math.min(available, next.quantity));
    this.chosen = new Map(this.chosen).set(candidate.id, next);
  }

  /** Send all that is chosen at once. */
  async send(enterprise: string): Promise<void> {
    if (this.since !== null || this.chosen.size === 0) return;
    this.since = Date.now();
    const jobs = [...this.#officers(), ...this.#resources(enterprise)];
    this.lines = jobs.map(({ key, names }) => ({ key, names, outcome: null }));
    await Promise.all(jobs.map(async ({ key, send, ids }) => {
      const outcome = await attempt(send);
      this.lines = this.lines.map((line) => (line.key === key ? { ...line, outcome } : line));
      if (outcome.kind !== 'done') return;
      this.#ids.delete(key);
      this.chosen = new Map([...this.chosen].filter(([id]) => !ids.includes(id)));
    }));
    this.since = null;
    this.#touched = true;
  }

  #chosenOf(...kinds: Candidate['kind'][]): [Candidate, Choice][] {
    return this.candidates.flatMap((each): [Candidate, Choice][] => (kinds.includes(each.kind) && this.chosen.has(each.id) ? [[each, this.chosen.get(each.id)!]] : []));
  }

  /** The same id for another attempt at the same line, which is then not done twice. */
  #id(key: string): string {
    const id = this.#ids.get(key) ?? newId();
    this.#ids.set(key, id);
    return id;
  }

  #officers(): { key: string; names: string; ids: string[]; send: () => Promise<Result> }[] {
    return this.problems.flatMap(({ id, version }) => {
      const officers = this.#chosenOf('officer').filter(([, { problem }]) => problem === id).map(([candidate]) => candidate);
      if (officers.length === 0) return [];
      const ids = officers.map((officer) => officer.id);
      const key = `${id} ${ids.join()}`;
      const input = { assistanceRequest: id, inspectors: ids, expectedVersion: version, clientMutationId: this.#id(key) };
      return [{ key, ids, names: officers.map(({ name }) => name).join(m.list_separator()), send: async () => (await request(SendOfficersDocument, { input }, null)).result as Result }];
    });
  }

  #resources(enterprise: string): { key: string; names: string; ids: string[]; send: () => Promise<Result> }[] {
    return this.#chosenOf('team', 'expert', 'warehouse').map(([candidate, { problem, quantity }]) => {
      const stock = this.stockOf(candidate);
      const resource = candidate.kind === 'warehouse' ? { stockItem: stock!.id, quantity } : { [candidate.kind]: candidate.id };
      const key = `${candidate.id} ${stock?.id ?? ''} ${quantity} ${problem}`;
      const input = { purpose: this.problems.find(({ id }) => id === problem)!.problem, enterprise, ...resource, clientMutationId: this.#id(key) };
      const names = candidate.kind === 'warehouse' ? m.desk_stock_of({ name: stock!.name, quantity, unit: stock!.unit }) : candidate.name;
      return { key, names, ids: [candidate.id], send: async () => (await request(SendResourceDocument, { input }, null)).result as Result };
    });
  }
}
