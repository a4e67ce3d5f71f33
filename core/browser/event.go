package browser

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"
)

// event takes in what the browser tells. It runs on the connection's reading
// goroutine: it may send, but never wait.
func (t *tab) event(session, method string, params json.RawMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.take(session, method, params) {
		close(t.st.changed)
		t.st.changed = make(chan struct{})
	}
	if t.kept && t.st.broken != nil {
		t.kept = false
		go t.forget()
	}
}

func decoded[T any](params json.RawMessage) (e T, ok bool) {
	return e, json.Unmarshal(params, &e) == nil
}

// take reports whether something changed that a verb may wait for.
func (t *tab) take(session, method string, params json.RawMessage) bool {
	st := &t.st
	switch method {
	case "": // the connection ended
		if st.broken == nil {
			st.broken = errLost
		}
		return true
	case "Inspector.targetCrashed":
		t.c.fail(session, "", errCrashed)
		if session == t.session {
			st.broken = errCrashed
		}
		return true
	case "Target.attachedToTarget":
		e, ok := decoded[proto.TargetAttachedToTarget](params)
		if !ok {
			return false
		}
		child := string(e.SessionID)
		if e.TargetInfo.Type == "iframe" {
			st.own[string(e.TargetInfo.TargetID)] = child
			t.prepare(child)
		}
		if e.TargetInfo.Type == "page" && string(e.TargetInfo.TargetID) != t.place.target {
			// A tab that nobody expects would put this one in the background.
			t.c.send("", proto.TargetCloseTarget{TargetID: e.TargetInfo.TargetID})
		}
		t.c.send(child, proto.RuntimeRunIfWaitingForDebugger{})
	case "Target.detachedFromTarget":
		e, ok := decoded[proto.TargetDetachedFromTarget](params)
		if !ok {
			return false
		}
		if string(e.SessionID) == t.session {
			t.c.fail(t.session, "", errClosed)
			if st.broken == nil {
				st.broken = errClosed
			}
			return true
		}
		st.drop(func(w world) bool { return w.session == string(e.SessionID) })
		maps.DeleteFunc(st.own, func(_, s string) bool { return s == string(e.SessionID) })
		t.c.fail(string(e.SessionID), "", errGone)
		return true
	case "Runtime.executionContextCreated":
		var e struct {
			Context struct {
				Name     string
				UniqueID string
				AuxData  struct{ FrameID string }
			}
		}
		if json.Unmarshal(params, &e) != nil || e.Context.Name != worldName {
			return false
		}
		st.worlds = append(st.worlds, world{session: session, id: e.Context.UniqueID, frame: e.Context.AuxData.FrameID})
		return true
	case "Runtime.executionContextDestroyed":
		e, ok := decoded[proto.RuntimeExecutionContextDestroyed](params)
		if !ok {
			return false
		}
		for _, w := range st.drop(func(w world) bool { return w.id == e.ExecutionContextUniqueID }) {
			t.c.fail(session, w.id, errGone)
		}
		return true
	case "Runtime.executionContextsCleared":
		for _, w := range st.drop(func(w world) bool { return w.session == session }) {
			t.c.fail(session, w.id, errGone)
		}
		return true
	case "Page.javascriptDialogOpening":
		t.answerDialog(session, params)
		return true
	case "Page.windowOpen":
		if e, ok := decoded[proto.PageWindowOpen](params); ok {
			st.tabs = append(st.tabs, e.URL)
		}
		return true
	case "Page.fileChooserOpened":
		if e, ok := decoded[proto.PageFileChooserOpened](params); ok && st.chooser != nil {
			select {
			case st.chooser <- e.BackendNodeID:
			default:
			}
		}
	case "Page.frameNavigated":
		e, ok := decoded[proto.PageFrameNavigated](params)
		if !ok || e.Frame.ParentID != "" || session != t.session {
			return false
		}
		st.frame, st.loader, st.url, st.moving = string(e.Frame.ID), string(e.Frame.LoaderID), e.Frame.URL, time.Time{}
		return true
	case "Page.navigatedWithinDocument":
		if e, ok := decoded[proto.PageNavigatedWithinDocument](params); ok && string(e.FrameID) == st.frame {
			st.url = e.URL
		}
	case "Page.frameRequestedNavigation", "Page.frameScheduledNavigation":
		var e struct{ FrameID, Disposition, URL string }
		if json.Unmarshal(params, &e) == nil && e.FrameID == st.frame && (e.Disposition == "" || e.Disposition == "currentTab") && strings.HasPrefix(e.URL, "http") {
			st.moving = time.Now()
			return true
		}
	case "Page.frameStartedLoading", "Page.frameStoppedLoading":
		var e struct{ FrameID string }
		if json.Unmarshal(params, &e) != nil || e.FrameID != st.frame {
			return false
		}
		st.loading = method == "Page.frameStartedLoading"
		if !st.loading {
			st.moving = time.Time{}
		}
		return true
	default:
		if strings.HasPrefix(method, "Network.") {
			return t.network(session, method, params)
		}
	}
	return false
}

// network follows the documents, and the requests that write.
func (t *tab) network(session, method string, params json.RawMessage) bool {
	st := &t.st
	switch method {
	case "Network.requestWillBeSent":
		if ofPart(params, true) {
			return false
		}
		var e struct {
			RequestID, LoaderID, FrameID, Type string
			Request                            struct{ Method, URL string }
		}
		if json.Unmarshal(params, &e) != nil {
			return false
		}
		document := e.Type == "Document" && e.FrameID == st.frame
		if session != t.session {
			return false
		}
		if document {
			st.failedAt = e.Request.URL
		}
		write := e.Request.Method != http.MethodGet && e.Request.Method != http.MethodHead && e.Request.Method != http.MethodOptions
		if document || (write && (e.Type == "XHR" || e.Type == "Fetch" || e.Type == "Document")) {
			st.requests[e.RequestID] = document
			return true
		}
	case "Network.responseReceived":
		if ofPart(params, false) {
			return false
		}
		var e struct {
			RequestID, LoaderID, FrameID, Type string
			Response                           struct {
				URL     string
				Status  int
				Headers map[string]any
			}
		}
		if json.Unmarshal(params, &e) != nil {
			return false
		}
		a := answer{status: e.Response.Status, url: e.Response.URL}
		for k, v := range e.Response.Headers {
			if s, ok := v.(string); ok && strings.EqualFold(k, "retry-after") {
				a.retry = s
			}
		}
		if e.Type == "Document" && e.FrameID == st.frame {
			st.answers[e.LoaderID], st.failed = a, ""
		} else if (e.Type == "XHR" || e.Type == "Fetch") && a.status >= 400 && a.status > st.worst.status && t.reach.Allowed(a.url) {
			st.worst = a
		}
		if document, ok := st.requests[e.RequestID]; ok && !document {
			delete(st.requests, e.RequestID)
		}
		return true
	case "Network.loadingFinished", "Network.loadingFailed":
		if len(st.requests) == 0 {
			return false
		}
		var e struct{ RequestID, Type, ErrorText string }
		if json.Unmarshal(params, &e) != nil {
			return false
		}
		document, ok := st.requests[e.RequestID]
		delete(st.requests, e.RequestID)
		if method == "Network.loadingFailed" && ok && document {
			st.failed = e.ErrorText
		}
		return ok
	}
	return false
}
