"""Who holds what. The only writer of usage: every function here is one conditional batch on one provider tree.

Available is the sum of a provider's record and its claims, at any time; nothing here reads before it claims.
"""
