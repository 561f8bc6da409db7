// The step that the person takes with the item in hand: what they typed, its sending, and what came of it. What was typed
// stays until it is saved, also through a conflict.

import * as m from '#messages';
import { untrack } from 'svelte';

import { newId } from '../../shared/new-id';
import type { Item } from './item.svelte';
import { statusOf } from './head';
import { STEPS, take, wrong, type FieldName, type Step, type Typed } from './steps';

export type Before = { version: number; status: string };
export type Conflict = Before & { decision: string };

export class Taking {
  typed = $state.raw<Typed>({});
  errors = $state.raw<Record<string, string>>({});
  refusal = $state<string | null>(null);
  since = $state<number | null>(null);
  /** The name of the step that was taken last. */
  done = $state<string | null>(null);
  /** The version that the person saw when a colleague's was saved first. */
  conflict = $state.raw<Conflict | null>(null);

  #item: Item;
  #chosen = $state<string | null>(null);
  #id = newId();
  #begun = Date.now();
  /** The item as the person saw it when they began to type, and the step that they typed for. */
  #seen: (Before & { decision: string; fields: FieldName[] }) | null = null;

  constructor(item: Item) {
    this.#item = item;
  }

  /** The steps that are legal now, and that the desk has a form for. */
  get steps(): Step[] {
    const { node } = this.#item;
    if (node === null) return [];
    if (node.__typename === 'Warning') return node.liftedAt === null ? STEPS.filter(({ mutation }) => mutation === 'warningLift') : [];
    if (!('nextSteps' in node)) return [];
    const legal = new Set(node.nextSteps.map(({ mutation }) => mutation));
    const asked = node.__typename === 'Hazard' && node.extensions.some(({ status }) => status === 'REQUESTED');
    if (!asked) legal.delete('hazardDecideExtension');
    return STEPS.filter(({ mutation }) => legal.has(mutation));
  }

  /** The statuses that a step leads to. */
  to(step: Step): string[] {
    const { node } = this.#item;
    return node && 'nextSteps' in node ? (node.nextSteps.find(({ mutation }) => mutation === step.mutation)?.to ?? []) : [];
  }

  /** The step that the button of the action bar does: the chosen step, else the usual one. */
  get primary(): Step | null {
    const usual = this.steps.find(({ key }) => key === 'hazardDecideExtension') ?? this.steps.find(({ primary }) => primary);
    return this.steps.find(({ key }) => key === this.#chosen) ?? usual ?? null;
  }

  get step(): Step | null {
    const { node } = this.#item;
    return node?.__typename === 'AssistanceRequest' ? (this.steps.find(({ key }) => key === this.#chosen) ?? null) : this.primary;
  }

  /** The request to type what is still missing; undefined if nothing is. */
  get missing(): string | undefined {
    const lacking = this.step?.fields.some(({ name, required }) => required && !this.typed[name]?.trim());
    return lacking ? m.desk_fill_in() : undefined;
  }

  choose(step: Step): void {
    if (this.since !== null) return;
    this.#chosen = this.#chosen === step.key && this.conflict === null ? null : step.key;
    this.errors = {};
    this.refusal = null;
    this.#id = newId();
  }

  type(name: FieldName, value: string): void {
    const { node } = this.#item;
    // The version that the person sees as they begin is the one that their decision is about.
    if (Object.keys(this.typed).length === 0 && node && 'version' in node) {
      this.#begun = Date.now();
      this.#seen = { version: node.version, status: statusOf(node), decision: this.step?.name() ?? '', fields: this.step?.fields.map((field) => field.name) ?? [] };
    }
    this.typed = { ...this.typed, [name]: value };
    this.errors = {};
  }

  /** Take the step: for the version that the person saw, or in a conflict for the one that is saved. */
  async take(): Promise<void> {
    const { step } = this;
    const { node } = this.#item;
    if (this.since !== null || step === null || node === null || !('version' in node)) return;
    const wanted = step.fields.map(({ name }) => name);
    const typed = Object.fromEntries(Object.entries(this.typed).filter(([name]) => wanted.includes(name as FieldName)));
    this.errors = wrong(typed);
    if (Object.keys(this.errors).length > 0) return;
    const seen = this.conflict === null && this.#seen !== null && step.fields.length > 0 ? this.#seen : { version: node.version, status: statusOf(node) };
    this.since = Date.now();
    this.refusal = null;
    const outcome = await take(step, node.id, seen.version, typed, this.#id);
    // Its own step is no colleague's: nothing is compared until the row is read that the step has changed.
    await this.#item.read();
    this.since = null;
    if (outcome.kind === 'refused') this.refusal = outcome.message;
    else if (outcome.kind === 'fields') this.errors = outcome.errors;
    if (outcome.kind === 'fields') this.refusal = Object.entries(outcome.errors).filter(([field]) => !this.#isShown(field)).map(([, text]) => text).join(' ') || null;
    if (outcome.kind !== 'refused') this.#id = newId();
    if (outcome.kind === 'done') this.#finish(step);
    if (outcome.kind === 'conflict') this.#differ(seen, step.name(), wanted);
  }

  /** A colleague was first. The step that takes what was typed is proposed, if one is legal now. */
  #differ(seen: Before, decision: string, typed: FieldName[]): void {
    if (this.steps.length === 0) {
      this.#seen = null;
      return void (this.refusal = m.desk_changed());
    }
    this.conflict = { version: seen.version, status: seen.status, decision };
    this.#chosen = this.steps.find(({ fields }) => typed.length > 0 && typed.every((name) => fields.some((field) => field.name === name)))?.key ?? null;
  }

  #isShown(field: string): boolean {
    return this.step?.fields.some(({ name }) => name === field || field.startsWith('owner.')) ?? false;
  }

  #finish(step: Step): void {
    this.done = step.name();
    this.leave();
  }

  /** See whether a colleague has saved while the person types. */
  compare(): void {
    const { node } = this.#item;
    if (node === null || !('version' in node) || this.since !== null || this.conflict !== null || this.#seen === null) return;
    if (node.version !== this.#seen.version && Object.values(this.typed).some(Boolean)) untrack(() => this.#differ(this.#seen!, this.#seen!.decision, this.#seen!.fields));
  }

  /** Give up what was typed, and the conflict. */
  leave(): void {
    this.typed = {};
    this.errors = {};
    this.conflict = null;
    this.#chosen = null;
    this.#seen = null;
  }

  get begun(): number {
    return this.#begun;
  }
}
