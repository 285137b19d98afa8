"""What a trainer has, sample by sample, made into submissions: checked once, at the edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from proctor._faults import checked, invalid
from proctor._requests import Form
from proctor.inline_problems import InlineProblem, inline_problem, language_name
from proctor.types import Item, Problem

# A problem id; or an inline problem in a form of `proctor.inline_problems`, maybe as JSON text.
ProblemOf: TypeAlias = str | Problem | Mapping[str, Any]
# Raw text, or a conversation: messages with role and content.
Completion: TypeAlias = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Submission:
    """One program for one problem, ready to be posted.

    Attributes:
        item: as it goes into a batch.
        key: equal for equal work.
        size: bytes that it takes in a request, about.
    """

    item: Item
    key: tuple[str, ...]
    size: int

    @property
    def problem_id(self) -> str:
        """The problem's id, inline or stored."""
        return self.item.problem_id or (self.item.problem.id if self.item.problem else "")


def submissions(
    problems: ProblemOf | Sequence[ProblemOf],
    completions: Sequence[Completion],
    languages: str | Sequence[str | None] | None,
    *,
    form: Form,
    language: str,
) -> list[Submission]:
    """One submission per completion.

    Args:
        problems: one per completion, or one for all.
        completions: texts or conversations.
        languages: one per completion, or one for all; None: what the inline problem says, or
            `language`.
        form: what the texts are.
        language: where nothing else says it.

    Raises:
        TypeError: a completion is neither text nor a conversation; the message says which.
        InvalidRequest: a problem or a language can't be one, or the numbers differ.
    """
    if isinstance(completions, (str, Mapping)):
        raise TypeError(f"completions: is one {type(completions).__name__}, give a list")
    of = _one_each("problems", problems, len(completions))
    said = _one_each("languages", languages, len(completions))
    made = []
    for place, (problem, completion, spoken) in enumerate(zip(of, completions, said, strict=True)):
        text = _utf8(completion_text(completion, f"completions[{place}]"))
        made.append(_submission(problem, text, spoken, form, language, f"problems[{place}]"))
    return made


def completion_text(completion: object, where: str) -> str:
    """The text of a completion: itself, or what the assistant said last in a conversation.

    Raises:
        TypeError: it is neither; `where` names it.
    """
    if isinstance(completion, str):
        return completion
    if not isinstance(completion, Sequence) or isinstance(completion, (bytes, bytearray)):
        raise TypeError(
            f"{where}: is a {type(completion).__name__}; give text, or a list of messages"
        )
    for place in reversed(range(len(completion))):
        message = completion[place]
        if not isinstance(message, Mapping) or "role" not in message:
            raise TypeError(f"{where}[{place}]: is no message with a role and a content")
        if message["role"] == "assistant":
            return _content(message.get("content"), f"{where}[{place}].content")
    raise TypeError(f"{where}: has no message of the assistant")


# -- helpers ----------------------------------------------------------------------------------


def _content(content: object, where: str) -> str:
    # Tool calls alone come with no content: the assistant wrote no program.
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise TypeError(f"{where}: is a {type(content).__name__}; give text, or a list of parts")
    parts = []
    for place, part in enumerate(content):
        if not isinstance(part, Mapping):
            raise TypeError(f"{where}[{place}]: is a {type(part).__name__}, not a part with text")
        parts.append(str(part.get("text") or ""))
    return "".join(parts)


def _submission(
    problem: object, text: str, spoken: str | None, form: Form, default: str, where: str
) -> Submission:
    if isinstance(problem, str) and not problem.lstrip().startswith("{"):
        language = language_name(spoken) if spoken else default
        item = checked(Item, {"problem_id": problem, "language": language, form: text}, where)
        return Submission(item, (problem, language, text), len(text))
    if not isinstance(problem, (str, Mapping, Problem)):
        raise invalid(where, f"is a {type(problem).__name__}", "give a problem id or a problem")
    inline: InlineProblem = inline_problem(problem, where)
    language = language_name(spoken) if spoken else inline.language or default
    item = checked(Item, {"problem": inline.problem, "language": language, form: text}, where)
    key = (inline.problem.id, inline.digest, language, text)
    return Submission(item, key, inline.size + len(text))


def _one_each(name: str, given: Any, count: int) -> list[Any]:
    if given is None or isinstance(given, (str, Mapping, Problem)):
        return [given] * count
    each = list(given)
    if len(each) != count:
        raise invalid(
            name, f"has {len(each)} entries for {count} completions", "give one per completion"
        )
    return each


def _utf8(text: str) -> str:
    """The text with U+FFFD for what no UTF-8 can say: a model's half of a surrogate pair."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
