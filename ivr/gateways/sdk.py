"""The parts of the braintree package that we use; imported here only.

The package warns about its own deprecated names while it is imported; those warnings are not about
our code and would be errors where warnings are.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from braintree import BraintreeGateway, Environment, TransactionSearch, exceptions
    from braintree.configuration import Configuration
    from braintree.error_codes import ErrorCodes

__all__ = [
    "BraintreeGateway",
    "Configuration",
    "Environment",
    "ErrorCodes",
    "TransactionSearch",
    "exceptions",
]
