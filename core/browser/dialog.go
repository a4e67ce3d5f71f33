package browser

import (
	"encoding/json"

	"github.com/go-rod/rod/lib/proto"
)

// answerDialog answers a dialog at once, unless a person has the page: alert,
// confirm and beforeunload are accepted, prompt is dismissed. Its text is kept
// for the step.
func (p *Page) answerDialog(session string, params json.RawMessage) {
	e, ok := decoded[proto.PageJavascriptDialogOpening](params)
	if !ok || p.st.held {
		return
	}
	if len(p.st.dialogs) < 20 {
		p.st.dialogs = append(p.st.dialogs, string(e.Type)+": "+e.Message)
	}
	p.c.send(session, proto.PageHandleJavaScriptDialog{Accept: e.Type != proto.PageDialogTypePrompt})
}
