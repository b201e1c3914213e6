"""How well silence and nonsense are told from normal life: faults injected into weeks that nothing was learned from."""
