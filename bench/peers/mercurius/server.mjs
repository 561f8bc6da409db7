// Mercurius with graphql-jit over node-postgres: batched loaders, prepared statements, text of times passed through.
// `DATABASE_URL=postgresql://… node server.mjs PORT`
import DataLoader from 'dataloader'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const TIMESTAMPTZ = 1184
// 2026-06-15 04:00:00+00 as ISO 8601; making a Date of it and text again would cost more.
pg.types.setTypeParser(TIMESTAMPTZ, (text) => `${text.replace(' ', 'T')}:00`)
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

async function rows(name, text, values) {
  return (await pool.query({ name, text, values })).rows
}

const schema = `
  scalar DateTime
  scalar Date
  enum RiskGrade { BLUE YELLOW ORANGE RED }
  enum HazardLevel { GENERAL MAJOR }
  enum ControlGrade { ALERT CONTROL STRICT }
  enum NearbyKind { CAMERA ENTERPRISE }

  type Zone { id: ID! code: String! name: String! nameEn: String focus: [String!]! enterprises(first: Int!): [Enterprise!]! }
  type Venue { id: ID! code: String! name: String! rings: [ControlRing!]! }
  type ControlRing { id: ID! grade: ControlGrade! radiusMetres: Int! enterprises(first: Int!): [Enterprise!]! }
  type Contact { name: String phone: String }
  type Enterprise {
    id: ID!
    creditCode: String
    name: String!
    address: String
    riskGrade: RiskGrade
    hazardousChemicals: Boolean!
    majorHazardLevel: Int
    legalRepresentative: Contact
    hazards(first: Int!): [Hazard!]!
    inspections(first: Int!): [Inspection!]!
    controlMeasures(first: Int!): [ControlMeasure!]!
  }
  type Hazard {
    id: ID!
    level: HazardLevel!
    status: String!
    description: String!
    foundAt: DateTime!
    deadline: DateTime
    enterprise: Enterprise!
    inspection: Inspection
  }
  type Inspection {
    id: ID!
    kind: String!
    status: String!
    result: String
    submittedAt: DateTime
    inspectors: [Inspector!]!
  }
  type Inspector { id: ID! badge: String! fullName: String! }
  type ControlMeasure { id: ID! kind: String! description: String! since: Date! }
  type Camera { id: ID! name: String! online: Boolean! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type HazardPage { nodes: [Hazard!]! pageInfo: PageInfo! }
  union NearbyItem = Camera | Enterprise
  type Nearby { distanceMetres: Int! bearingDegrees: Int! item: NearbyItem! }

  type Query {
    zone(code: String!): Zone
    venue(code: String!): Venue
    enterprise(id: ID!): Enterprise
    enterprises(first: Int!): [Enterprise!]!
    hazards(first: Int!, after: String, level: HazardLevel): HazardPage!
    nearby(latitude: Float!, longitude: Float!, kinds: [NearbyKind!]!, withinMetres: Int!, first: Int!): [Nearby!]!
  }
`

// Stored as 1, 2, …
const GRADES = ['BLUE', 'YELLOW', 'ORANGE', 'RED']
const LEVELS = ['GENERAL', 'MAJOR']
const RINGS = ['ALERT', 'CONTROL', 'STRICT']
const ENTERPRISE = `id, credit_code AS "creditCode", name, address, risk_grade AS "riskGrade", zone_id AS "zoneId",
  hazardous_chemicals AS "hazardousChemicals", major_hazard_level AS "majorHazardLevel", latitude, longitude,
  legal_name AS "legalName", legal_phone AS "legalPhone"`
const HAZARD = `id, enterprise_id AS "enterpriseId", inspection_id AS "inspectionId", level, status, description,
  found_at AS "foundAt", deadline`
const INSPECTION = 'id, kind, status, result, submitted_at AS "submittedAt"'
const MEASURE = 'id, kind, description, since::text'
const ZONE = 'id, code, name, name_en AS "nameEn", focus'
const CAMERA = 'id, name, online, latitude, longitude'

const identity = (value) => value

// For each parent the first so many rows of a table that name it, or all.
const children = (name, columns, table, key, order) => {
  const text = `SELECT p.id AS parent, c.* FROM unnest($1::int[]) AS p(id) CROSS JOIN LATERAL
    (SELECT ${columns} FROM ${table} WHERE ${key} = p.id ORDER BY ${order} LIMIT $2) AS c`
  return batched(async (keys, first) => {
    const found = new Map(keys.map((id) => [id, []]))
    for (const row of await rows(name, text, [keys, first ?? null])) found.get(row.parent).push(row)
    return keys.map((id) => found.get(id))
  })
}

// The row that has a key.
const named = (name, columns, table) =>
  batched(async (keys) => {
    const read = await rows(name, `SELECT ${columns} FROM ${table} WHERE id = ANY($1)`, [keys])
    const found = new Map(read.map((row) => [row.id, row]))
    return keys.map((key) => found.get(key) ?? null)
  })

// A DataLoader for each request and number of rows. Mercurius's own loaders key what they batch by the JSON of the whole
// parent, which costs more.
function batched(read) {
  const place = Symbol()
  return (context, key, first) => {
    const bySize = (context[place] ??= new Map())
    if (!bySize.has(first)) bySize.set(first, new DataLoader((keys) => read(keys, first)))
    return bySize.get(first).load(key)
  }
}

const ringEnterprises = children(
  'ringEnterprises',
  ENTERPRISE,
  '(SELECT e.*, r.ring_id FROM enterprise_ring AS r JOIN enterprise AS e ON e.id = r.enterprise_id) AS e',
  'ring_id',
  'id',
)
const RING = 'id, grade, radius_metres AS "radiusMetres"'
const rings = children('rings', RING, 'control_ring', 'venue_id', 'grade')
const zoneEnterprises = children('zoneEnterprises', ENTERPRISE, 'enterprise', 'zone_id', 'id')
const hazardsOf = children('hazards', HAZARD, 'hazard', 'enterprise_id', 'found_at DESC, id DESC')
const PLANNED = "coalesce(planned_for, '0001-01-01T00:00:00+00:00') DESC, id DESC"
const inspectionsOf = children('inspections', INSPECTION, 'inspection', 'enterprise_id', PLANNED)
const measuresOf = children('measures', MEASURE, 'control_measure', 'enterprise_id', 'id')
const enterpriseById = named('enterpriseById', ENTERPRISE, 'enterprise')
const inspectionById = named('inspectionById', INSPECTION, 'inspection')
const inspectorsOf = batched(async (keys) => {
  const found = new Map(keys.map((id) => [id, []]))
  const text = `SELECT l.inspection_id AS parent, i.id, badge, full_name AS "fullName"
    FROM inspection_inspector AS l JOIN inspector AS i ON i.id = l.inspector_id
    WHERE l.inspection_id = ANY($1) ORDER BY i.id`
  for (const row of await rows('inspectors', text, [keys])) found.get(row.parent).push(row)
  return keys.map((id) => found.get(id))
})

async function hazards(_, { first, after, level }) {
  const place = after ? JSON.parse(Buffer.from(after, 'base64url')) : null
  const conditions = []
  const values = [first + 1]
  if (level) conditions.push(`level = $${values.push(LEVELS.indexOf(level) + 1)}`)
  if (place) conditions.push(`(found_at, id) < ($${values.push(place[0])}, $${values.push(place[1])})`)
  const where = conditions.length ? `WHERE ${conditions.join(' AND ')}` : ''
  const text = `SELECT ${HAZARD} FROM hazard ${where} ORDER BY found_at DESC, id DESC LIMIT $1`
  const read = await rows(`page ${where}`, text, values)
  const nodes = read.slice(0, first)
  const last = nodes.at(-1)
  const endCursor = last ? Buffer.from(JSON.stringify([last.foundAt, last.id])).toString('base64url') : null
  return { nodes, pageInfo: { hasNextPage: read.length > first, endCursor } }
}

const EARTH_RADIUS_METRES = 6371008.8
const radians = (degrees) => (degrees * Math.PI) / 180
const KINDS = { CAMERA: ['Camera', CAMERA, 'camera'], ENTERPRISE: ['Enterprise', ENTERPRISE, 'enterprise'] }

function bearing(latitude, longitude, to) {
  const [a, b, d] = [radians(latitude), radians(to.latitude), radians(to.longitude - longitude)]
  const y = Math.sin(d) * Math.cos(b)
  const x = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(d)
  return (Math.round((Math.atan2(y, x) * 180) / Math.PI) + 360) % 360
}

// A box through the index on latitude and longitude, the circle cut out of it.
async function nearby(_, { latitude, longitude, kinds, withinMetres, first }) {
  const tall = (withinMetres / EARTH_RADIUS_METRES) * (180 / Math.PI)
  const wide = tall / Math.cos(radians(latitude))
  const box = [latitude - tall, latitude + tall, longitude - wide, longitude + wide]
  const each = kinds.map(async (kind, rank) => {
    const [type, columns, table] = KINDS[kind]
    const text = `SELECT * FROM (SELECT ${columns}, 2 * ${EARTH_RADIUS_METRES} * asin(least(1, sqrt(
        power(sin(radians(latitude - $1) / 2), 2)
        + cos(radians($1)) * cos(radians(latitude)) * power(sin(radians(longitude - $2) / 2), 2)))) AS metres
      FROM ${table} WHERE latitude BETWEEN $3 AND $4 AND longitude BETWEEN $5 AND $6) AS near
      WHERE metres <= $7 ORDER BY metres, id LIMIT $8`
    const read = await rows(`near ${kind}`, text, [latitude, longitude, ...box, withinMetres, first])
    return read.map((row) => ({ ...row, type, rank }))
  })
  const found = (await Promise.all(each)).flat()
  found.sort((a, b) => a.metres - b.metres || a.rank - b.rank || a.id - b.id)
  return found.map((item) => ({
    distanceMetres: Math.round(item.metres),
    bearingDegrees: bearing(latitude, longitude, item),
    item,
  }))
}

const resolvers = {
  DateTime: { serialize: identity },
  Date: { serialize: identity },
  RiskGrade: { serialize: (rank) => GRADES[rank - 1] },
  ControlGrade: { serialize: (rank) => RINGS[rank - 1] },
  HazardLevel: { serialize: (rank) => LEVELS[rank - 1] },
  NearbyItem: { resolveType: (item) => item.type },
  Venue: { rings: ({ id }, _, context) => rings(context, id) },
  ControlRing: { enterprises: ({ id }, { first }, context) => ringEnterprises(context, id, first) },
  Zone: { enterprises: ({ id }, { first }, context) => zoneEnterprises(context, id, first) },
  Hazard: {
    enterprise: ({ enterpriseId }, _, context) => enterpriseById(context, enterpriseId),
    inspection: ({ inspectionId }, _, context) => (inspectionId === null ? null : inspectionById(context, inspectionId)),
  },
  Inspection: { inspectors: ({ id }, _, context) => inspectorsOf(context, id) },
  Enterprise: {
    hazards: ({ id }, { first }, context) => hazardsOf(context, id, first),
    inspections: ({ id }, { first }, context) => inspectionsOf(context, id, first),
    controlMeasures: ({ id }, { first }, context) => measuresOf(context, id, first),
    legalRepresentative: ({ legalName, legalPhone }) =>
      legalName === null && legalPhone === null ? null : { name: legalName, phone: legalPhone },
  },
  Query: {
    zone: async (_, { code }) => (await rows('zone', `SELECT ${ZONE} FROM zone WHERE code = $1`, [code]))[0],
    venue: async (_, { code }) => (await rows('venue', 'SELECT id, code, name FROM venue WHERE code = $1', [code]))[0],
    enterprise: async (_, { id }) =>
      (await rows('enterprise', `SELECT ${ENTERPRISE} FROM enterprise WHERE id = $1`, [id]))[0],
    enterprises: (_, { first }) =>
      rows('enterprises', `SELECT ${ENTERPRISE} FROM enterprise ORDER BY id LIMIT $1`, [first]),
    hazards,
    nearby,
  },
}

const app = Fastify()
app.register(mercurius, { schema, resolvers, jit: 1 })
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
