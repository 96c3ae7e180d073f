"""Refusals as Stripe words them."""

from sandbox.contract.check import Problem
from sandbox.stripe.records import Resource, public


class ApiError(Exception):
    """A request is refused; carries the status and the fields of Stripe's error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind, self.code, self.param = message, status, kind, code, param

    def as_resource(self) -> Resource:
        """The error object of the answer."""
        fields = {"type": self.kind, "code": self.code, "message": self.message, "param": self.param}
        if self.code:
            fields["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        return {"error": {name: value for name, value in fields.items() if value is not None}}


class PaymentFailed(ApiError):
    """The money of a payment intent could not be taken. What was done in trying stays done, unlike with a refusal."""

    def __init__(self, error: Resource, *, intent: Resource | None = None) -> None:
        super().__init__(error["message"], status=402, kind=error["type"], code=error["code"])
        self.error, self.intent = error, intent

    def as_resource(self) -> Resource:
        """The error object of the answer, with the payment intent where the request was about one."""
        return {"error": {**self.error, **({"payment_intent": public(self.intent)} if self.intent else {})}}


def refuse_problem(problem: Problem) -> ApiError:
    """The refusal of a parameter that breaks the contract."""
    return ApiError(problem.message, code=problem.code, param=problem.param or None)


def no_such(noun: str, resource_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """The refusal of an id that nothing has. As the value of a parameter it is a 400, in the path a 404."""
    return ApiError(f"No such {noun}: '{resource_id}'", status=status, code="resource_missing", param=param)
