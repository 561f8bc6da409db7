// Which document this page shows, and the order of the sections.

import { documents } from 'virtual:documents';

import * as m from '#messages';

import type { DocumentPage, Heading, Section } from './types';

const path = location.pathname.replace(/index\.html$/, '');

/** Null on the page that lists them all. */
export const current = withContents(documents.find((each) => each.path === path));

/** Adds the headings of the second and third level. */
function withContents(page: DocumentPage | undefined): (DocumentPage & { contents: Heading[] }) | null {
  return page ? { ...page, contents: page.headings.filter(({ level }) => level === 2 || level === 3) } : null;
}

const NAMES: Record<Section, () => string> = {
  guides: m.docs_guides,
  reference: m.docs_reference,
  design: m.docs_design,
  project: m.docs_project,
  decisions: m.docs_decisions,
  proofs: m.docs_proofs,
};

export const sections = (Object.keys(NAMES) as Section[]).map((section) => ({
  id: section,
  name: NAMES[section],
  documents: documents.filter((each) => each.section === section),
}));
