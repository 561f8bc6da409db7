// What build/documents.ts knows of the documents.

declare module 'virtual:documents' {
  export const documents: import('./types').DocumentPage[];
  export const version: string;
}
