// What the build knows of each document.

export type Heading = { id: string; text: string; level: number };

export type Section = 'guides' | 'reference' | 'design' | 'decisions' | 'proofs' | 'project';

export type DocumentPage = {
  path: string;
  title: string;
  section: Section;
  /** The text of the first paragraph. */
  summary: string;
  headings: Heading[];
};
