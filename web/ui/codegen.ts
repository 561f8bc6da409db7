// Types of the graph and of the operations of all pages, from schema.graphql and the .graphql files beside the pages.

import type { CodegenConfig } from '@graphql-codegen/cli';

import { forms } from './build/forms.ts';

const config: CodegenConfig = {
  schema: '../../schema/schema.graphql',
  documents: 'src/!(graphiql)/**/*.graphql',
  // Fields stay in the order of the schema, which is that of a form.
  config: { sort: false },
  generates: {
    'generated/forms/': { preset: forms },
    'generated/graph/': {
      preset: 'client',
      presetConfig: {
        fragmentMasking: false,
        // Writes a manifest of the documents, from which the server knows their names.
        persistedDocuments: { mode: 'embedHashInDocument', hashAlgorithm: 'sha256' },
      },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: { Date: 'string', DateTime: 'string', GeoJSON: "import('geojson').Geometry", ID: 'string' },
      },
    },
  },
};

export default config;
