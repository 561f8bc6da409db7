// Rules for the committed schema and for the pages. Those for the schema run from the top of the repository, since ESLint
// does not look at what lies above the folder it is started in.

import graphql from '@graphql-eslint/eslint-plugin';
import svelte from 'eslint-plugin-svelte';
import { defineConfig } from 'eslint/config';
import typescript from 'typescript-eslint';

export default defineConfig([
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
  {
    files: ['src/**/*.ts', 'build/**/*.ts', 'src/**/*.tsx', 'src/**/*.svelte'],
    extends: [typescript.configs.recommended, svelte.configs.recommended],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // svelte-check knows the names.
      'no-undef': 'off',
      // The pages have no router, so a path is a path.
      'svelte/no-navigation-without-resolve': 'off',
      // Thousands of points are kept in plain maps on purpose: a counter tells that some of them have changed.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    files: ['src/**/*.svelte', 'src/**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: typescript.parser } },
  },
]);
