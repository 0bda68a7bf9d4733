// Stands in for Braintree's client script: knows from its token where the stand-in gateway is.
"use strict";
window.braintree = window.braintree || {};
window.braintree.client = {
  async create({ authorization }) {
    const configuration = JSON.parse(atob(authorization));
    return { getConfiguration: () => ({ authorization, gatewayConfiguration: configuration }) };
  },
};
