"""Whether a task fits the model: by its own tokenizer, chat template and dialect [O]."""

from dataclasses import dataclass

from itool.errors import UserError
from itool.toolcall.checker import check
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter
from itool.toolcall.types import Task

Problem = tuple[str, str] | None  # reason and detail of a rejection


@dataclass(frozen=True)
class Limits:
    """What the model of `prompter` takes. `max_tokens`: of an answer (engine.max_tokens)."""

    prompter: Prompter
    max_tokens: int

    def problem(self, task: Task) -> Problem:
        """Why the model cannot learn or do the task, if it cannot.

        The right answer, as the model is to write it, must be read as right. One longer than `max_tokens` would be cut
        whenever it is given. The prompt, the right answer and the question whether that is correct must fit
        model.max_length together.
        """
        answer = self.prompter.completion_ids(task.reference.answer())
        written = self.prompter.decode(answer)
        read = read_answer(self.prompter.dialect, written, finished=True, tools=task.tools)
        if not check(read, task.reference, task.tools, strict=True).right:
            return "does not parse back", f"{self.prompter.dialect_name}: {written}"
        if len(answer) > self.max_tokens:
            return "answer too long", f"{len(answer)} tokens, expected at most engine.max_tokens = {self.max_tokens}"
        try:
            asked = self.prompter.selfeval_ids(self.prompter.prompt_ids(task), answer)
            self.prompter.check_length(task.task_id, asked, self.prompter.selfeval_completion_ids(True))
        except UserError as error:
            return "does not fit the model", str(error).removeprefix(f"task {task.task_id}: ")
        return None
