// Rules for the committed schema. They run from the top of the repository, since ESLint does not look at what lies above
// the folder it is started in.

import graphql from '@graphql-eslint/eslint-plugin';

export default [
  {
    files: ['schema/schema.graphql'],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: 'schema/schema.graphql' } },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Parts of a row (a point, a contact), connections and results of mutations are no nodes and have no identity.
      '@graphql-eslint/strict-id-in-types': 'off',
      // What is bounded by nature (four zones, three rings) is a plain list, and a connection has `nodes` beside `edges`.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
];
