// The data of a panel: read when it is opened, and again after each event about it.

import type { TypedDocumentString } from '#graph';

import { Reader } from './reader.svelte';
import { request } from './request';

/** Milliseconds between two readings, however many events there are. */
const REST = 1_000;

export class Opened<T, V = { id: string }> extends Reader<T> {
  constructor(
    readonly document: TypedDocumentString<T, V>,
    readonly variables: V,
    readonly token: () => string | null,
  ) {
    super(() => request(document, variables, token()), REST);
  }
}
