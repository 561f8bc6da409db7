// The operations that a first visit opens, each in its own tab. They are files, so that the server's tests run the same
// text.

import districtMap from './examples/district-map.graphql?raw';
import headlineFile from './examples/headline-file.graphql?raw';
import liveInspections from './examples/live-inspections.graphql?raw';
import openingScene from './examples/opening-scene.graphql?raw';
import pageOfHazards from './examples/page-of-hazards.graphql?raw';
import registerEnterprise from './examples/register-enterprise.graphql?raw';

export const examples = [headlineFile, openingScene, pageOfHazards, districtMap, registerEnterprise, liveInspections].map(
  (query) => ({ query }),
);
