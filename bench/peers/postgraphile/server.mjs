// PostGraphile over the tables as they are, read only, with its preset for production.
// `DATABASE_URL=postgresql://… node server.mjs PORT`
import { createServer } from 'node:http'
import { postgraphile } from 'postgraphile'
import { TYPES } from 'postgraphile/@dataplan/pg'
import { makePgService } from 'postgraphile/adaptors/pg'
import { grafserv } from 'postgraphile/grafserv/node'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { addPgTableOrderBy, orderByAscDesc } from 'postgraphile/utils'

// The order that the index on inspections has: those not planned count as earliest.
const planned = addPgTableOrderBy({ schemaName: 'public', tableName: 'inspection' }, ({ sql }) =>
  orderByAscDesc('PLANNED', (inspections) => ({
    fragment: sql`coalesce(${inspections}.planned_for, '0001-01-01T00:00:00+00:00')`,
    codec: TYPES.timestamptz,
  })),
)

const served = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [planned],
  pgServices: [
    makePgService({ connectionString: process.env.DATABASE_URL, schemas: ['public'], poolConfig: { max: 10 } }),
  ],
  schema: { defaultBehavior: '-insert -update -delete' },
  grafserv: { graphqlPath: '/graphql', graphiql: false, websockets: false, watch: false },
  grafast: { explain: false },
}).createServ(grafserv)
const server = createServer({ keepAliveTimeout: 72_000 })
await served.addTo(server)
server.listen(Number(process.argv[2]), '127.0.0.1')
