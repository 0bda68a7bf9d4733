"""`saldo leaktest`: canary cards through real calls, then everything is searched for them."""
