// A module for each mutation, from schema.graphql: its document, and what a form of its input needs to know. A page loads
// the modules of the forms that it shows. The schema's directives have what types do not say.

import { createHash } from 'node:crypto';

import type { Types } from '@graphql-codegen/plugin-helpers';
import {
  getDirectiveValues, getNamedType, getNullableType, isEnumType, isInputObjectType, isListType, isNonNullType, isObjectType, isUnionType,
  type GraphQLEnumType, type GraphQLField, type GraphQLInputField, type GraphQLInputObjectType, type GraphQLObjectType, type GraphQLSchema,
} from 'graphql';

import type { Form, FormField, ValueKind } from '../src/shared/forms/form.ts';

/** Fields that a form fills by itself, or leaves out: what is done at the desk is done now. */
const OWN = new Set(['clientMutationId', 'expectedVersion', 'occurredAt']);
const SCALARS: Record<string, ValueKind> = {
  String: 'text', Int: 'integer', Float: 'number', Boolean: 'boolean', DateTime: 'time', Date: 'date',
};
/** By type of a problem, what a page shows besides its message. */
const PROBLEMS: Record<string, string> = {
  InvalidInput: 'errors { field message reason }', IllegalTransition: 'currentStatus legal', Conflict: 'currentVersion',
  NotFound: 'missing', StockExhausted: 'available',
};

function directive(schema: GraphQLSchema, field: { astNode?: GraphQLInputField['astNode'] | GraphQLField<unknown, unknown>['astNode'] }, name: string): Record<string, unknown> {
  return (field.astNode && getDirectiveValues(schema.getDirective(name)!, field.astNode)) ?? {};
}

function formField(schema: GraphQLSchema, name: string, field: GraphQLInputField): FormField {
  const of = getNamedType(field.type);
  const inner = getNullableType(field.type);
  const { type } = directive(schema, field, 'idOf') as { type?: string };
  const { among, ...limits } = directive(schema, field, 'limits') as { among?: string[] };
  const { symbol } = directive(schema, field, 'unit') as { symbol?: string };
  const kind = type ? (type === 'Evidence' ? 'evidence' : 'row') : isEnumType(of) ? 'enum' : isInputObjectType(of) ? 'object' : SCALARS[of.name];
  if (!kind) throw new Error(`No form can ask for ${name}, which is a ${of.name}.`);
  return {
    name,
    kind,
    required: isNonNullType(field.type) && field.defaultValue === undefined,
    description: field.description ?? '',
    ...(isListType(inner) ? { list: true } : {}),
    ...(type ? { of: type } : {}),
    ...(isEnumType(of) ? { enum: of.name, options: of.getValues().map((value) => value.name).filter((value) => !among || among.includes(value)) } : {}),
    ...(isInputObjectType(of) ? { of: of.name, fields: formFields(schema, of) } : {}),
    ...(symbol ? { unit: symbol } : {}),
    ...limits,
    ...(field.defaultValue !== undefined && !isListType(inner) ? { initial: field.defaultValue as FormField['initial'] } : {}),
  };
}

function formFields(schema: GraphQLSchema, of: GraphQLInputObjectType): FormField[] {
  return Object.entries(of.getFields()).filter(([name]) => !OWN.has(name)).map(([name, field]) => formField(schema, name, field));
}

/** The ids of the rows of a success, with their versions. */
function success(of: GraphQLObjectType): string {
  const parts = Object.entries(of.getFields()).flatMap(([name, field]) => {
    const type = getNamedType(field.type);
    if (name === 'failures') return [name];
    if (!isObjectType(type)) return [];
    const fields = type.getFields();
    if (fields.result) return [`${name} { index result { __typename ... on Problem { message } ... on InvalidInput { errors { field message reason } } } }`];
    return fields.id ? [`${name} { id${fields.version ? ' version' : ''} }`] : [];
  });
  return `... on ${of.name} { ${['cursor', ...parts].join(' ')} }`;
}

function formOf(schema: GraphQLSchema, name: string): Form {
  const field = schema.getMutationType()!.getFields()[name]!;
  const input = getNamedType(field.args[0]!.type);
  const result = getNamedType(field.type);
  if (!isInputObjectType(input) || !isUnionType(result)) throw new Error(`${name} has no input, or no union as its result.`);
  const types = result.getTypes().map((type) => type.name);
  const parts = [
    ...result.getTypes().filter((type) => type.getInterfaces().some((each) => each.name === 'ActionSucceeded')).map(success),
    '... on Problem { message reason }',
    ...Object.entries(PROBLEMS).filter(([type]) => types.includes(type)).map(([type, selection]) => `... on ${type} { ${selection} }`),
  ];
  const operation = `${name[0]!.toUpperCase()}${name.slice(1)}Form`;
  return {
    name,
    input: input.name,
    statuses: (directive(schema, field, 'legalFrom').statuses ?? []) as string[],
    versioned: 'expectedVersion' in input.getFields(),
    document: `mutation ${operation}($input: ${input.name}!) { ${name}(input: $input) { __typename ${parts.join(' ')} } }`,
    fields: formFields(schema, input),
  };
}

function walk(fields: readonly FormField[]): FormField[] {
  return fields.flatMap((field) => [field, ...walk(field.fields ?? [])]);
}

const union = (names: Iterable<string>): string => [...new Set(names)].sort().map((name) => `'${name}'`).join(' | ');

function index(schema: GraphQLSchema, forms: readonly Form[]): string {
  const fields = walk(forms.flatMap((form) => form.fields));
  const enums = [...new Set(fields.flatMap((field) => field.enum ?? []))].sort();
  const values = (name: string): string[] => (schema.getType(name) as GraphQLEnumType).getValues().map((value) => value.name);
  return [
    "import type { Form } from '../../src/shared/forms/form.ts';",
    `export type FieldName = ${union(fields.map((field) => field.name))};`,
    `export type RowType = ${union(fields.filter((field) => field.kind === 'row').map((field) => field.of!))};`,
    `export type EnumNames = { ${enums.map((name) => `${name}: ${union(values(name))}`).join('; ')} };`,
    'export const forms = {',
    ...forms.map(({ name }) => `  ${name}: (): Promise<Form> => import('./${name}.ts').then((module) => module.form),`),
    '};',
    'export type FormName = keyof typeof forms;',
    '',
  ].join('\n');
}

/** A preset of graphql-codegen. Besides the modules it writes the documents by their hashes, for a server's manifest. */
export const forms: Types.OutputPreset = {
  buildGeneratesSection({ baseOutputDir, schema, schemaAst }) {
    const all = Object.keys(schemaAst!.getMutationType()!.getFields()).map((name) => formOf(schemaAst!, name));
    const documents = Object.fromEntries(all.map(({ document }) => [createHash('sha256').update(document).digest('hex'), document]));
    const files: Record<string, string> = {
      'index.ts': index(schemaAst!, all),
      'documents.json': JSON.stringify(documents),
      ...Object.fromEntries(all.map((form) => [
        `${form.name}.ts`, `import type { Form } from '../../src/shared/forms/form.ts';\nexport const form: Form = ${JSON.stringify(form)};\n`,
      ])),
    };
    return Object.entries(files).map(([name, text]) => ({
      filename: `${baseOutputDir}${name}`, plugins: [{ text: {} }], pluginMap: { text: { plugin: () => text } }, schema, schemaAst: schemaAst!, documents: [], config: {},
    }));
  },
};
