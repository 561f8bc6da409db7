// The text that a person has typed into a form, and the input that it becomes.

import * as m from '#messages';

import type { FormField } from './form.ts';
import { withOffset } from './zone-time.ts';

/** A row that was picked. `version` is the one that the person has seen. */
export type Choice = { id: string; title: string; detail?: string; version?: number };
export type Upload = { id: string; name: string };
/**
 * By field: text as it was typed (numbers, times and enums too), a boolean where there is a default, a Choice or null, a
 * draft or null for an input inside the input; a list of them for a list.
 */
export type Draft = Record<string, unknown>;
/** By path within the input, such as `findings.1.deadline`, what is wrong. */
export type Errors = Record<string, string>;

export function emptyDraft(fields: readonly FormField[]): Draft {
  return Object.fromEntries(fields.map((field) => [field.name, emptyValue(field)]));
}

function emptyValue(field: FormField): unknown {
  if (field.list) return [];
  if (field.kind === 'object') return field.required ? emptyDraft(field.fields ?? []) : null;
  if (field.kind === 'row') return null;
  if (field.kind === 'boolean') return field.initial ?? '';
  return field.initial === undefined ? '' : String(field.initial);
}

/** A new item of a list. */
export function emptyItem(field: FormField): unknown {
  return field.kind === 'object' ? emptyDraft(field.fields ?? []) : '';
}

/** The input for a draft: what is blank is left out. Adds to `errors` what is missing and what is no number. */
export function inputOf(fields: readonly FormField[], draft: Draft, zone: string, errors: Errors, before = ''): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const field of fields) {
    const path = before + field.name;
    const value = valueOf(field, draft[field.name], zone, errors, path);
    if (value !== undefined) input[field.name] = value;
    else if (field.required) errors[path] ??= m.form_missing();
  }
  return input;
}

function valueOf(field: FormField, value: unknown, zone: string, errors: Errors, path: string): unknown {
  if (!field.list) return single(field, value, zone, errors, path);
  const items = (value as unknown[]).map((item, number) => single(field, item, zone, errors, `${path}.${number}`)).filter((item) => item !== undefined);
  return items.length === 0 ? (field.required ? undefined : []) : items;
}

function single(field: FormField, value: unknown, zone: string, errors: Errors, path: string): unknown {
  if (value === null || value === undefined) return undefined;
  if (field.kind === 'object') return inputOf(field.fields ?? [], value as Draft, zone, errors, `${path}.`);
  if (field.kind === 'row' || field.kind === 'evidence') return (value as Choice | Upload).id;
  if (typeof value === 'boolean') return value;
  const text = (value as string).trim();
  if (text === '') return undefined;
  if (field.kind === 'boolean') return text === 'true';
  if (field.kind === 'time') return withOffset(text, zone);
  if (field.kind !== 'integer' && field.kind !== 'number') return value;
  return numberOf(field, text, errors, path);
}

function numberOf(field: FormField, text: string, errors: Errors, path: string): number | undefined {
  // Full-width digits and the separators of thousands are meant as digits.
  const plain = text.normalize('NFKC').replace(/,(?=\d{3}\b)/g, '');
  const good = field.kind === 'integer' ? /^-?\d{1,10}$/ : /^-?\d{1,15}(\.\d{1,15})?$/;
  if (good.test(plain) && (field.kind === 'number' || Math.abs(Number(plain)) < 2 ** 31)) return Number(plain);
  errors[path] = field.kind === 'integer' ? m.form_not_integer() : m.form_not_number();
  return undefined;
}
