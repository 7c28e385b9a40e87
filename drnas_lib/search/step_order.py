"""The order of the two halves of a step, eta first or weights first, and their batches. A new order is a class and a row in `STEPS`."""

from drnas_lib.search.bilevel import Batch, Bilevel


class WeightsFirst(Bilevel):
    """The weights on the training batch, then the architecture on the validation batch, as in the code of the NAS-Bench-201 baselines."""

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        self.weight_step(train)
        if moves_eta:
            assert valid is not None  # only steps that leave eta have no validation batch
            self.arch_step(train, valid)


class SingleLevel(Bilevel):
    """Weights and architecture at once, by one theta, one training batch and one loss; the validation batch is not used."""

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        if not moves_eta:
            return self.weight_step(train)
        x, y = train
        logits = self.forward(x, self.method.sample(self.generator))
        loss = self.loss(logits, y)
        gradient = self._gradient(self._regularised(loss), [*self.learnt, *self.parameters])
        self.move_arch(gradient[: len(self.learnt)])
        self.weight_optimiser.step(gradient[len(self.learnt) :])
        self.meter.add(0, loss, logits, y)


class WeightsOnly(Bilevel):
    """The weights alone; the method learns between the epochs."""

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        self.weight_step(train)


STEPS: dict[str, type[Bilevel]] = {
    "arch_first": Bilevel,
    "weights_first": WeightsFirst,
    "single_level": SingleLevel,
    "weights_only": WeightsOnly,
}
