package browser

import (
	"encoding/json"

	"github.com/go-rod/rod/lib/proto"
)

// answerDialog answers a dialog at once, unless a person has the page: alert,
// confirm and beforeunload are accepted, prompt is dismissed. Its text is kept
// for the step.
func (t *tab) answerDialog(session string, params json.RawMessage) {
	e, ok := decoded[proto.PageJavascriptDialogOpening](params)
	if !ok || t.st.held {
		return
	}
	if len(t.st.dialogs) < 20 {
		t.st.dialogs = append(t.st.dialogs, string(e.Type)+": "+e.Message)
	}
	t.c.send(session, proto.PageHandleJavaScriptDialog{Accept: e.Type != proto.PageDialogTypePrompt})
}
