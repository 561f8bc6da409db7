// The description of a mutation that a form uses: build/forms.ts makes it from the schema.

export type ValueKind = 'text' | 'integer' | 'number' | 'boolean' | 'time' | 'date' | 'enum' | 'row' | 'evidence' | 'object';

export type FormField = {
  name: string;
  kind: ValueKind;
  required: boolean;
  /** The schema's own description, which is English. */
  description: string;
  list?: boolean;
  /** The type of the row, or of the input inside the input. */
  of?: string;
  enum?: string;
  options?: readonly string[];
  fields?: readonly FormField[];
  unit?: string;
  min?: number;
  max?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  /** The value that the server takes where none is given. */
  initial?: string | number | boolean;
};

export type Form = {
  name: string;
  /** The type of the input. */
  input: string;
  /** True if it takes the version of the row that the person has seen. */
  versioned: boolean;
  /** The statuses of the row that it changes in which it is legal; empty where it changes none. */
  statuses: readonly string[];
  document: string;
  fields: readonly FormField[];
};
